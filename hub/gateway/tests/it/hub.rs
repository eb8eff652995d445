//! A hub for a test: its own folder, certificate and store, filled from a country pack; gone when the test ends.

use reqwest::{Client, Method, Response, StatusCode, Version};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use takmil_conformance::tls::Identity;

use crate::schemas::conforms;

/// The providers and insurers of the Moroccan pack that tests use. The insurer's answers are the hub's own.
pub(crate) const PROVIDER: &str = "ma-atlas";
pub(crate) const OTHER_PROVIDER: &str = "ma-chu";
pub(crate) const INSURER: &str = "ma-mutuelle";
pub(crate) const OTHER_INSURER: &str = "ma-assur";

/// A folder with everything that a hub needs.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    certificate: String,
    /// Variables of the environment of everything that is run on it.
    environment: Vec<(&'static str, String)>,
}

impl Place {
    /// A fresh folder; `more` goes into its configuration.
    pub(crate) fn new(more: &str) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = made.cert.pem();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("server.pem"), &certificate).unwrap();
        std::fs::write(path("server.key"), made.signing_key.serialize_pem()).unwrap();
        std::fs::create_dir(path("tables")).unwrap();
        let config = format!(
            "[listen]\naddress = \"127.0.0.1:0\"\nnotice_ms = 0\n[tls]\ncertificate_file = {:?}\nkey_file = {:?}\n[store]\npath = {:?}\n[tables]\nfolder = {:?}\n{more}",
            path("server.pem"),
            path("server.key"),
            path("takmil.db"),
            path("tables"),
        );
        std::fs::write(path("takmil.toml"), config).unwrap();
        Place {
            folder,
            certificate,
            environment: Vec::new(),
        }
    }

    /// The same folder, and a variable of the environment of everything that is run on it.
    pub(crate) fn and(mut self, name: &'static str, value: String) -> Place {
        self.environment.push((name, value));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of the binary on this folder's configuration.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let config = self.path("takmil.toml");
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(["--config", config.to_str().unwrap()]);
        run_with(&all, input, &self.environment)
    }

    /// Runs a command that must succeed, and reads what it prints as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.run(&all, "");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Fills the store from the Moroccan pack.
    pub(crate) fn fill(&self) {
        let report = self.json(&["import", "folder", pack().to_str().unwrap()]);
        assert_eq!(report["refused"], json!([]));
    }

    /// A key for a participant.
    pub(crate) fn key(&self, participant: &str) -> String {
        let shown = self.json(&["participant", "key", participant]);
        shown["key"].as_str().unwrap().to_owned()
    }

    /// A key for a person of a participant.
    pub(crate) fn person(&self, participant: &str, name: &str, role: &str) -> String {
        let shown = self.json(&[
            "participant",
            "person",
            participant,
            "--name",
            name,
            "--role",
            role,
        ]);
        shown["key"].as_str().unwrap().to_owned()
    }
}

/// The country pack that tests go by.
pub(crate) fn pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings/packs/ma")
}

/// Runs the binary.
pub(crate) fn run(arguments: &[&str], input: &str) -> Output {
    run_with(arguments, input, &[])
}

fn run_with(arguments: &[&str], input: &str, environment: &[(&str, String)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_takmil"))
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

/// Somebody who calls a hub over HTTP.
pub(crate) struct Caller {
    pub(crate) base: String,
    client: Client,
}

/// A running hub, and a caller of it.
pub(crate) struct Hub {
    pub(crate) place: Place,
    caller: Caller,
    /// Where the partner port is, where there is one.
    partners: Option<String>,
    child: Child,
}

impl Deref for Hub {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Hub {
    /// Starts a hub on a filled store.
    pub(crate) fn start(more: &str) -> Hub {
        let place = Place::new(more);
        place.fill();
        Hub::on(place)
    }

    /// Starts a hub on a folder.
    pub(crate) fn on(place: Place) -> Hub {
        Hub::with(place, &[])
    }

    /// Starts a hub on a folder, with variables of the environment.
    pub(crate) fn with(place: Place, environment: &[(&str, &str)]) -> Hub {
        // Another test may have installed it: the provider is the process's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut child = Command::new(env!("CARGO_BIN_EXE_takmil"))
            .args(["serve", "--config"])
            .arg(place.path("takmil.toml"))
            .env("TAKMIL_TELEMETRY__FORMAT", "json")
            .envs(place.environment.iter().map(|(name, value)| (name, value)))
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = log
            .find_map(|line| ready(&line.unwrap()))
            .expect("the hub says where it listens");
        // The log is read to its end, so that the hub never waits for a full pipe.
        std::thread::spawn(move || {
            log.for_each(|line| eprintln!("hub: {}", line.unwrap_or_default()))
        });
        let at = |name: &str| {
            let port = ready[name].as_str()?.rsplit(':').next().unwrap();
            Some(format!("https://localhost:{port}"))
        };
        let (base, partners) = (at("address").unwrap(), at("partners"));
        let client = client(&place).build().unwrap();
        let caller = Caller { base, client };
        Hub {
            place,
            caller,
            partners,
            child,
        }
    }

    /// A caller of the port for all that trusts another authority.
    pub(crate) fn trusting(&self, ca_pem: &str) -> Caller {
        let client = partner(ca_pem, None).build().unwrap();
        let base = self.base.clone();
        Caller { base, client }
    }

    /// Where the partner port is.
    pub(crate) fn partners(&self) -> &str {
        self.partners
            .as_deref()
            .expect("the hub has a partner port")
    }

    /// A caller of the partner port, which trusts `ca_pem` and shows a certificate, where it has one.
    pub(crate) fn at_partners(&self, ca_pem: &str, shown: Option<&Identity>) -> Caller {
        let client = partner(ca_pem, shown).build().unwrap();
        let base = self.partners().to_owned();
        Caller { base, client }
    }

    /// The same, over HTTP/1.1 alone.
    pub(crate) fn at_partners_over_http1(&self, ca_pem: &str, shown: &Identity) -> Caller {
        let client = partner(ca_pem, Some(shown)).http1_only().build().unwrap();
        let base = self.partners().to_owned();
        Caller { base, client }
    }

    /// A caller that speaks HTTP/1.1 alone.
    pub(crate) fn over_http1(&self) -> Caller {
        Caller {
            base: self.base.clone(),
            client: client(&self.place).http1_only().build().unwrap(),
        }
    }

    /// A caller that takes a kilobyte of an answer before it has read it, and no more.
    pub(crate) fn with_little_room(&self) -> Caller {
        let client = client(&self.place).http2_initial_stream_window_size(1_024);
        Caller {
            base: self.base.clone(),
            client: client.build().unwrap(),
        }
    }

    /// The certificate that the hub shows.
    pub(crate) fn certificate(&self) -> &str {
        &self.place.certificate
    }

    /// Starts another hub on the folder of one that has stopped.
    pub(crate) fn restart(mut self) -> Hub {
        let place = std::mem::replace(&mut self.place, Place::new(""));
        Hub::on(place)
    }

    /// Tells the hub to stop, and gives its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.tell_to_stop();
        self.wait()
    }

    /// Tells the hub to stop.
    pub(crate) fn tell_to_stop(&self) {
        self.signal("-TERM");
    }

    /// Tells the hub to look at its certificates.
    pub(crate) fn tell_to_look(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(told.success());
    }

    /// The exit code of a hub that was told to stop.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

fn client(place: &Place) -> reqwest::ClientBuilder {
    let certificate = reqwest::Certificate::from_pem(place.certificate.as_bytes()).unwrap();
    Client::builder().tls_certs_only([certificate])
}

fn partner(ca_pem: &str, shown: Option<&Identity>) -> reqwest::ClientBuilder {
    let authorities = reqwest::Certificate::from_pem_bundle(ca_pem.as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only(authorities);
    match shown {
        Some(Identity {
            certificate_pem,
            key_pem,
        }) => {
            let pem = format!("{key_pem}{certificate_pem}");
            client.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
        }
        None => client,
    }
}

impl Caller {
    /// Asks without a key, and gives the answer where one comes.
    pub(crate) async fn attempt(&self, path: &str) -> Option<Answer> {
        let response = self.client.get(format!("{}{path}", self.base)).send().await;
        Some(Answer::of(response.ok()?).await)
    }

    /// Opens what has no end.
    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.client.get(format!("{}{path}", self.base));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request.send().await.unwrap()
    }

    /// Sends a request with a key and a JSON body.
    pub(crate) async fn send(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        self.raw(
            method,
            path,
            &[("authorization", &format!("Bearer {key}"))],
            body.to_string(),
        )
        .await
    }

    /// Asks with a key.
    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.raw(
            Method::GET,
            path,
            &[("authorization", &format!("Bearer {key}"))],
            String::new(),
        )
        .await
    }

    /// Sends a request as it is.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .body(body);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        Answer::of(request.send().await.unwrap()).await
    }

    /// Sends a message, and gives the answer where one comes.
    pub(crate) async fn try_send(&self, path: &str, key: &str, body: &Value) -> Option<Value> {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.bearer_auth(key).body(body.to_string());
        let response = request.send().await.ok()?;
        let taken = response.status().is_success();
        let text = response.text().await.ok()?;
        taken.then(|| serde_json::from_str(&text).unwrap())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line of the log that says where a hub listens.
fn ready(line: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    line["address"].is_string().then_some(line)
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    async fn of(response: Response) -> Answer {
        Answer {
            version: response.version(),
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The JSON of an answer that must have succeeded.
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        self.json()
    }

    /// Checks that it is a problem, whole, with this status and code.
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        let body = self.json();
        let told = (
            self.status.as_u16(),
            body["code"].as_str().unwrap_or_default(),
        );
        assert_eq!(told, (status, code), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(
            body["request_id"].as_str(),
            Some(self.header("x-request-id"))
        );
        assert_eq!(body["type"], json!(format!("/docs#{code}")));
        assert_eq!(body["status"], json!(status));
        conforms("problem", &body);
    }
}

/// A claim of one consultation, in the name of a member of the pack.
pub(crate) fn claim(number: &str, member: &str) -> Value {
    json!({
        "kind": "claim",
        "identifiers": [{"system": "urn:test:claim", "value": number}],
        "occurred_on": "2026-03-02",
        "currency": "MAD",
        "member": {"identifiers": [{"system": "urn:takmil:sample:member", "value": member}]},
        "claim": {"bill": bill("NC100", 15_000)},
    })
}

/// A bill of one line.
pub(crate) fn bill(code: &str, billed: i64) -> Value {
    json!({"class": "professional", "lines": [{
        "seq": 1,
        "item": {"source": {"system": "urn:takmil:synthetic:services", "code": code}},
        "billed": billed,
    }]})
}
