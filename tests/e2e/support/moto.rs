//! moto's ELBv2, written by others: an independent check of what we put on the wire.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cluster::POLL;
use super::scratch::Scratch;
use super::servers::{Server, free_port, once, target};

/// The key of the account that moto starts with.
const KEY: &str = "AKIDEXAMPLE";

const PATIENCE: Duration = Duration::from_secs(60);

/// A `moto_server`, ended when dropped.
pub(crate) struct Moto {
    port: u16,
    _server: Server,
    // Last: the server ends before its folder goes.
    _folder: Scratch,
}

impl Moto {
    /// Starts the `moto_server` on `PATH`, else one that is installed once into `target/moto`.
    pub(crate) async fn start() -> Self {
        let folder = Scratch::new("moto");
        let port = free_port();
        let args = ["--host", "127.0.0.1", "--port", &port.to_string()].map(str::to_owned);
        let mut server = Server::start("moto", folder.path(), &program(), args);
        let look = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
                assert!(server.ended().is_none(), "{}", server.last_words());
                tokio::time::sleep(POLL).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, look).await.is_ok(), "{}", server.last_words());
        Self { port, _server: server, _folder: folder }
    }

    /// Its endpoint URL.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same server, asked with another access key: of another account.
    pub(crate) fn with_key(&self, access_key: String) -> Asker {
        Asker { port: self.port, access_key }
    }

    /// See [`Asker::ask`].
    pub(crate) async fn ask(&self, service: &str, action: &str, query: &str) -> String {
        self.with_key(KEY.to_owned()).ask(service, action, query).await
    }

    /// See [`Asker::make`].
    pub(crate) async fn make(&self, service: &str, action: &str, query: &str, id: &str) -> String {
        self.with_key(KEY.to_owned()).make(service, action, query, id).await
    }

    /// Everything that it holds, by service and type of thing.
    pub(crate) async fn data(&self) -> Value {
        let request =
            "GET /moto-api/data.json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        serde_json::from_str(&exchange(self.port, request).await).expect("it is JSON")
    }
}

/// Whose access key requests are signed with decides about the account.
pub(crate) struct Asker {
    port: u16,
    access_key: String,
}

impl Asker {
    /// Makes one call of a service's Query API that succeeds, and returns the XML.
    ///
    /// Written out by hand so that nothing under test is used to look at what it did.
    pub(crate) async fn ask(&self, service: &str, action: &str, query: &str) -> String {
        let (scope, version) = match service {
            "ec2" => ("ec2", "2016-11-15"),
            "elbv2" => ("elasticloadbalancing", "2015-12-01"),
            "sts" => ("sts", "2011-06-15"),
            _ => panic!("no test asks {service}"),
        };
        let form = format!("Action={action}&Version={version}&{query}");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/{scope}/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n{form}",
            form.len(),
            self.access_key,
        );
        exchange(self.port, &request).await
    }

    /// Makes a call, and returns the text of the answer's first element of that name.
    pub(crate) async fn make(&self, service: &str, action: &str, query: &str, id: &str) -> String {
        let answer = self.ask(service, action, query).await;
        let found =
            answer.split_once(&format!("<{id}>")).and_then(|(_, rest)| rest.split_once('<'));
        let (text, _) = found.unwrap_or_else(|| panic!("no <{id}>: {answer}"));
        text.to_owned()
    }
}

/// Sends a request over a connection of its own, and returns the body of a 200.
async fn exchange(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("moto listens");
    stream.write_all(request.as_bytes()).await.expect("moto reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("moto answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer has a head and a body");
    assert_eq!(head.split(' ').nth(1), Some("200"), "{request}: {answer}");
    body.to_owned()
}

fn program() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "programs must be found")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut on_path = std::env::split_paths(&path).map(|folder| folder.join("moto_server"));
    on_path.find(|program| program.is_file()).unwrap_or_else(installed)
}

fn installed() -> PathBuf {
    let folder = target().join("moto");
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/requirements.txt");
    let recipe = std::fs::read_to_string(&requirements).expect("tests/servers is complete");
    once(&folder, &recipe, |folder| {
        let run = |command: &mut Command| {
            let status = command
                .status()
                .expect("Python 3 is needed to install moto, or moto_server on PATH");
            assert!(status.success(), "{command:?}: {status}");
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        run(Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--no-deps", "-r"])
            .arg(&requirements));
    });
    folder.join("bin/moto_server")
}
