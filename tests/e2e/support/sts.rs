//! An STS for tests: who may assume which role.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An STS on loopback that gives every answer alike, and remembers what it was asked.
pub(crate) struct Sts {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Sts {
    /// Refuses every role, as AWS words it.
    pub(crate) async fn strict() -> Self {
        let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
            <Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/ci is not authorized \
            to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/shop</Message></Error>\
            <RequestId>1</RequestId></ErrorResponse>";
        Self::saying("403 Forbidden", body).await
    }

    /// Gives out every role, for longer than any test takes.
    pub(crate) async fn generous() -> Self {
        let body = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
            <AssumedRoleUser><AssumedRoleId>AROA:mctg</AssumedRoleId>\
            <Arn>arn:aws:sts::111122223333:assumed-role/shop/mctg</Arn></AssumedRoleUser>\
            <Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>another</SecretAccessKey>\
            <SessionToken>session</SessionToken><Expiration>2096-01-01T00:00:00Z</Expiration></Credentials>\
            </AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>";
        Self::saying("200 OK", body).await
    }

    async fn saying(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    let mut bytes = vec![0; 16_384];
                    let read = stream.read(&mut bytes).await.unwrap_or_default();
                    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                    log.lock().expect("nothing panics with it").push(text);
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { url, asked }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The requests so far, as they came over the wire.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nothing panics with it").clone()
    }
}
