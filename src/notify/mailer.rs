//! Sending one mail to one address through the server of `SMTP_URL`.

use std::time::Duration;

use lettre::message::{Mailbox, header};
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::mail::Mail;
use crate::config::SecretUrl;
use crate::domain::email::CanonicalEmail;

/// How long the mail server may take over one command.
const PATIENCE: Duration = Duration::from_secs(20);
/// What we are called in the server's greeting; a name of ours would tell where we run.
const CLIENT: &str = "qualify.invalid";

/// Why mail cannot be sent at all, or this one was not.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The setting is wrong.
    #[error("SMTP_URL cannot be used ({0}); write smtp://user:password@host:port or smtps://…")]
    Address(String),
    /// Nobody to be from.
    #[error("nobody to send mail from; set MAIL_FROM to an address such as qualify@example.com")]
    From,
    /// The address or the text cannot be made a mail.
    #[error("the mail cannot be written")]
    Message,
    /// The server refused it for good.
    #[error("the mail server refuses it: {0}")]
    Refused(String),
    /// The server could not be reached, or asked to try again.
    #[error("the mail server does not take it now: {0}")]
    Later(String),
}

/// Sends mail.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
}

impl Mailer {
    /// A mailer of these settings. `smtps://` speaks TLS at once; `smtp://` changes over to it
    /// where the server offers it, and always before a password is sent; to this machine
    /// itself it may stay in clear.
    pub fn new(url: &SecretUrl, from: &CanonicalEmail) -> Result<Self, MailerError> {
        let bad = |what: &str| MailerError::Address(what.to_owned());
        let url = reqwest::Url::parse(url.expose()).map_err(|_| bad("not a URL"))?;
        let host = url.host_str().ok_or_else(|| bad("no host"))?.to_owned();
        let host = host.trim_matches(['[', ']']).to_owned();
        let is_wrapped = url.scheme() == "smtps";
        let port = url.port().unwrap_or(if is_wrapped { 465 } else { 587 });
        let parameters = || TlsParameters::new(host.clone()).map_err(|e| bad(&e.to_string()));
        let is_here = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
        let has_password = !url.username().is_empty();
        let tls = match (is_wrapped, has_password && !is_here) {
            (true, _) => Tls::Wrapper(parameters()?),
            (false, true) => Tls::Required(parameters()?),
            (false, false) => Tls::Opportunistic(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(PATIENCE))
            .hello_name(ClientId::Domain(CLIENT.to_owned()));
        if has_password {
            let decode = |text: &str| {
                let bytes = percent_decode(text);
                String::from_utf8(bytes).map_err(|_| bad("a password that is no text"))
            };
            let (user, password) = (
                decode(url.username())?,
                decode(url.password().unwrap_or_default())?,
            );
            builder = builder.credentials((user, password).into());
        }
        Ok(Self {
            transport: builder.build(),
            from: address(from)?,
        })
    }

    /// Sends one mail; when this returns, the server has taken it over.
    pub async fn send(&self, to: &CanonicalEmail, mail: &Mail) -> Result<(), MailerError> {
        let message = Message::builder()
            .from(Mailbox::new(Some("qualify".to_owned()), self.from.clone()))
            .to(Mailbox::new(None, address(to)?))
            .subject(&*mail.subject)
            // Nobody's out-of-office answers it (RFC 3834 §5).
            .header(AutoSubmitted)
            .header(header::ContentType::TEXT_PLAIN)
            .body(mail.text.clone())
            .map_err(|_| MailerError::Message)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(MailerError::Refused(words(&error))),
            Err(error) => Err(MailerError::Later(words(&error))),
        }
    }
}

/// What went wrong, without the server's own words: they repeat addresses.
fn words(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("answer {code}"),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None if error.is_tls() => "no encrypted connection".to_owned(),
        None if error.is_response() => "an answer that is none of SMTP".to_owned(),
        None => "no connection".to_owned(),
    }
}

fn address(email: &CanonicalEmail) -> Result<Address, MailerError> {
    // Whatever could be more than one mailbox never gets here; this is the last door.
    if !email.is_mailbox() {
        return Err(MailerError::Message);
    }
    email.as_str().parse().map_err(|_| MailerError::Message)
}

fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = (*first == b'%').then(|| behind.get(..2)).flatten();
        let decoded = hex.and_then(|hex| hex::decode(hex).ok());
        if let Some(decoded) = decoded {
            bytes.extend(decoded);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    bytes
}

/// `Auto-Submitted: auto-generated`.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_mailer_or_says_why_not() {
        let from = CanonicalEmail::parse("qualify@example.com").unwrap();
        let new = |url: &str| Mailer::new(&SecretUrl::new(url).unwrap(), &from);
        for good in [
            "smtp://mail.example.com",
            "smtps://ana%40example.com:p%C3%A4ss@mail.example.com:465",
            "smtp://127.0.0.1:1025",
            "smtp://[::1]:25",
        ] {
            assert!(new(good).is_ok(), "{good}: {:?}", new(good).err());
        }
        for bad in ["smtp://", "smtp:mail", "smtp://u:%FF@host"] {
            let error = new(bad).err().unwrap().to_string();
            assert!(
                error.starts_with("SMTP_URL") && !error.contains("%FF"),
                "{error}"
            );
        }
        assert_eq!(percent_decode("a%40b%zz%4"), b"a@b%zz%4");
    }
}
