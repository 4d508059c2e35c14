//! A small mail server on a socket: it takes mail, refuses it for good, or asks to try again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the server answers a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Takes,
    Refuses,
    Later,
}

/// A mail as it came: envelope and text.
#[derive(Debug, Clone)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    pub mood: Arc<Mutex<Mood>>,
    pub mails: Arc<Mutex<Vec<Received>>>,
    /// Recipients that were asked for, taken or not.
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            mood: Arc::new(Mutex::new(Mood::Takes)),
            mails: Arc::default(),
            asked: Arc::default(),
        };
        let shared = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn mails(&self) -> Vec<Received> {
        self.mails.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, server: Server) -> Option<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut mail = Received {
        from: String::new(),
        to: Vec::new(),
        text: String::new(),
    };
    writer.write_all(b"220 test ESMTP\r\n").await.ok()?;
    while let Some(line) = lines.next_line().await.ok()? {
        let verb = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
        let argument = line
            .split_once(':')
            .map_or("", |(_, rest)| rest)
            .trim()
            .to_owned();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" | "HELO" => b"250-test\r\n250 8BITMIME\r\n",
            "MAIL" => {
                mail.from = argument;
                b"250 ok\r\n"
            }
            "RCPT" => {
                server.asked.lock().unwrap().push(argument.clone());
                mail.to.push(argument);
                match *server.mood.lock().unwrap() {
                    Mood::Takes => b"250 ok\r\n",
                    Mood::Refuses => b"550 5.1.1 no such mailbox here\r\n",
                    Mood::Later => b"451 4.7.1 greylisted, come back\r\n",
                }
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.ok()?;
                while let Some(line) = lines.next_line().await.ok()? {
                    if line == "." {
                        break;
                    }
                    mail.text.push_str(&line);
                    mail.text.push('\n');
                }
                server.mails.lock().unwrap().push(mail.clone());
                b"250 taken\r\n"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await.ok()?;
                return Some(());
            }
            "RSET" | "NOOP" => b"250 ok\r\n",
            _ => b"502 not here\r\n",
        };
        writer.write_all(answer).await.ok()?;
    }
    Some(())
}
