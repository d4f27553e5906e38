//! moto's ELBv2, written by others: an independent check of what we put on the wire.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cluster::POLL;
use super::scratch::Scratch;
use super::servers::{Server, free_port, once, target};

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

    /// Makes one call of `service`'s Query API and returns the HTTP status and the XML.
    ///
    /// Written out by hand so that nothing under test is used to look at what it did.
    pub(crate) async fn call(&self, service: &str, query: &str) -> (u16, String) {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n{query}",
            query.len()
        );
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.expect("moto listens");
        stream.write_all(request.as_bytes()).await.expect("moto reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("moto answers");
        let (head, body) =
            answer.split_once("\r\n\r\n").expect("an HTTP answer has a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("an HTTP answer starts with its status"), body.to_owned())
    }
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
