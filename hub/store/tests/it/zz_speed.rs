use crate::samples::*;
use std::time::Instant as Clock;
use takmil_domain::limit::EntryKind;
use takmil_domain::ids::*;
use takmil_store::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed() {
    let folder = tempfile::tempdir_in("/work/main/target").unwrap();
    let house = house_in(open_file(&folder.path().join("x.db")).await).await;
    let n_members = 5000;
    let list: Vec<_> = (0..n_members).map(|i| enrolment("alpha", &format!("c{i}"), &format!("{i:010}"))).collect();
    let t = Clock::now();
    let mut enrolled = vec![];
    for c in list.chunks(1000) {
        enrolled.extend(house.store.enrol(&Scope::Hub, c, NOW).await.unwrap());
    }
    eprintln!("enrol {} /s", n_members as f64 / t.elapsed().as_secs_f64());
    let enrolled: Vec<_> = enrolled.into_iter().map(|e| e.unwrap()).collect();
    let body: String = (0..40).map(|i| format!("{{\"seq\":{i},\"code\":\"A{}\",\"amount\":{}}},", i * 7, i * 1311)).collect();
    let answer: String = (0..90).map(|i| format!("{{\"step\":{i},\"reason\":\"A{}\",\"before\":{}}},", i * 7, i * 1311)).collect();
    eprintln!("body {} answer {}", body.len(), answer.len());
    for size in [64usize, 256] {
        let total = if size == 1 { 300 } else { 8192 };
        let mut spent = [0.0f64; 5];
        let mut next = 1usize;
        for _ in 0..total / size {
            let mut batch = Batch::default();
            let mut keys = vec![];
            let mut lk = vec![];
            for _ in 0..size {
                next = (next * 7919 + 13) % n_members;
                let e = enrolled[next];
                let mut m = house.claim("clinic");
                m.member = Some(e.member);
                m.original = Compressed::new(body.as_bytes()).unwrap();
                m.canonical = Compressed::new(body.as_bytes()).unwrap();
                m.answer = answer.clone();
                keys.push((m.sender.clone(), m.keys[0].clone()));
                for code in ["year", "family"] {
                    let key = takmil_domain::limit::LimitKey { account: e.account, member: Some(e.member), ..house.key(code) };
                    lk.push(key.clone());
                    for kind in [EntryKind::Reserve] {
                        let entry = NewEntry { key: key.clone(), ..house.entry(code, m.id, kind, 1) };
                        batch.entries.push(entry);
                    }
                }
                batch.reservations.push(reservation(m.id, "2026-01-01", ReservationState::Open));
                let mut d = delivery(1, "alpha", m.id, m.id);
                d.id = DeliveryId(m.id.0);
                d.document = format!("{}{}", body, answer);
                batch.outbox.push(d);
                batch.messages.push(m);
            }
            lk.sort();
            lk.dedup();
            let t = Clock::now();
            let mut turn = house.store.begin().await.unwrap();
            spent[0] += t.elapsed().as_secs_f64(); let t = Clock::now();
            turn.idempotency(&keys).await.unwrap();
            spent[1] += t.elapsed().as_secs_f64(); let t = Clock::now();
            let s = turn.standings(&lk).await.unwrap();
            spent[2] += t.elapsed().as_secs_f64(); 
            for (k, s) in lk.iter().zip(s) {
                if s.is_none() {
                    batch.limits.push(NewLimit { key: k.clone(), ..house.limit("year", 1_000_000, batch.messages[0].id) });
                }
            }
            let t = Clock::now();
            turn.write(&batch).await.unwrap();
            spent[3] += t.elapsed().as_secs_f64(); let t = Clock::now();
            turn.commit().await.unwrap();
            spent[4] += t.elapsed().as_secs_f64();
        }
        for (k, (j, t, n)) in std::mem::take(&mut *takmil_store::TIMES.lock().unwrap()) {
            eprintln!("   {k:60} json {:.1} total {:.1} µs/row rows {n}", j / n as f64, t / n as f64);
        }
        let sum: f64 = spent.iter().sum();
        eprintln!("batch {size}: {:.0} messages/s; µs per message: begin {:.0} idem {:.0} standings {:.0} write {:.0} commit {:.0}", (total / size * size) as f64 / sum,
            spent[0] * 1e6 / total as f64, spent[1] * 1e6 / total as f64, spent[2] * 1e6 / total as f64, spent[3] * 1e6 / total as f64, spent[4] * 1e6 / total as f64);
    }
    let t = Clock::now();
    assert_eq!(house.store.check_ledger().await.unwrap(), []);
    eprintln!("check_ledger {:?}", t.elapsed());
}
