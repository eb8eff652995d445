//! Covers come over the wire whole, or with the place of what is wrong.

use serde_json::json;
use takmil_domain::coverage::Enrolment;
use takmil_domain::ids::ParticipantId;
use takmil_domain::problem::ProblemCode;
use takmil_insurers::grpc::coverage::{read, to_wire};
use takmil_proto::v1;

fn enrolments() -> [Enrolment; 2] {
    let least = json!({
        "insurer": "asia", "role": "supplementary", "policy": "P-1", "certificate": "C-1",
        "member": {"identifiers": [{"system": "urn:ir:national-id", "value": "0012345679"}]},
        "plan": "gold", "start": "2024-03-20"
    });
    let most = json!({
        "insurer": "tamin", "role": "base", "order": 2, "policy": "P-1", "certificate": "C-1",
        "member": {"identifiers": [{"system": "a", "value": "1"}, {"value": "2"}], "name": "سارا",
            "birth_date": "1990-05-01", "sex": "female"},
        "relationship": "student", "plan": "gold", "start": "2024-03-20", "end": "2025-03-19",
        "suspended": true, "prior_cover": true, "group_size": 250
    });
    [least, most].map(|cover| serde_json::from_value(cover).unwrap())
}

fn asia() -> ParticipantId {
    ParticipantId::parse("asia").unwrap()
}

#[test]
fn a_cover_survives_the_way_to_the_hub() {
    for enrolment in enrolments() {
        assert_eq!(read(&to_wire(&enrolment), &asia()), Ok(enrolment));
    }
}

#[test]
fn a_cover_without_an_insurer_is_its_senders() {
    let [enrolment, _] = enrolments();
    let mut cover = to_wire(&enrolment);
    cover.insurer_id.clear();
    cover.order = 0;
    assert_eq!(read(&cover, &asia()), Ok(enrolment));
}

#[test]
fn a_bad_cover_says_where_it_is_bad() {
    let [enrolment, _] = enrolments();
    let check = |change: &dyn Fn(&mut v1::Coverage), code, pointer: &str| {
        let mut cover = to_wire(&enrolment);
        change(&mut cover);
        let problem = read(&cover, &asia()).unwrap_err();
        assert_eq!((problem.code, &*problem.pointer), (code, pointer));
    };
    fn member(cover: &mut v1::Coverage) -> &mut v1::Member {
        cover.member.as_mut().unwrap()
    }
    use ProblemCode::*;
    check(
        &|it| it.insurer_id = "a b".into(),
        BadIdentifier,
        "/insurer_id",
    );
    check(&|it| it.role = 0, Missing, "/role");
    check(&|it| it.role = 9, BadValue, "/role");
    check(&|it| it.policy = " ".into(), Missing, "/policy");
    check(
        &|it| it.certificate = "x".repeat(129),
        TooLarge,
        "/certificate",
    );
    check(&|it| it.member = None, Missing, "/member");
    check(
        &|it| member(it).identifiers.clear(),
        Missing,
        "/member/identifiers",
    );
    check(
        &|it| member(it).identifiers[0].value.clear(),
        Missing,
        "/member/identifiers/0/value",
    );
    check(
        &|it| member(it).birth_date = "1990".into(),
        BadDate,
        "/member/birth_date",
    );
    check(
        &|it| member(it).name = "\u{0}".into(),
        ControlCharacter,
        "/member/name",
    );
    check(&|it| member(it).sex = 9, BadValue, "/member/sex");
    check(&|it| it.relationship = 99, BadValue, "/relationship");
    check(&|it| it.plan_id.clear(), BadIdentifier, "/plan_id");
    check(&|it| it.start.clear(), Missing, "/start");
    check(&|it| it.start = "1403-13-01".into(), BadDate, "/start");
    check(&|it| it.end = "2024-03-19".into(), DateOrder, "/end");
    let many = vec![v1::Identifier::default(); 17];
    check(
        &|it| member(it).identifiers = many.clone(),
        TooMany,
        "/member/identifiers",
    );
}
