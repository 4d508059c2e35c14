//! Receivers over HTTPS, with certificates of an authority that exists for this test alone. The
//! program trusts whom the machine trusts, and `SSL_CERT_FILE` says who that is: it is read when a
//! sender is made, so each story is told by a process of its own that has it from its start.

use std::path::Path;
use std::process::Command;

use qualify::domain::access::By;
use qualify::notify::webhooks::endpoints::WithSecret;
use qualify::store::webhook_deliveries::{Delivery, DeliveryState};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::bench::Bench;
use crate::receiver::Receiver;

/// The variable that tells the process of the folder with the authority's key.
const AUTHORITY: &str = "TEST_AUTHORITY";
const NAME: &str = "Authority of a test";

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// What a receiver shows: certificate and key.
type Shown = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn authority(name: &str, key: KeyPair) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    CertifiedIssuer::self_signed(params, key).unwrap()
}

fn for_host(host: &str) -> CertificateParams {
    CertificateParams::new([host.to_owned()]).unwrap()
}

fn issued(by: &Issuer, params: &CertificateParams) -> Shown {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &**by).unwrap();
    (certificate.der().clone(), private(&key))
}

fn self_signed(params: &CertificateParams) -> Shown {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.der().clone(), private(&key))
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

fn showing((certificate, key): Shown) -> ServerConfig {
    let provider = rustls::crypto::ring::default_provider();
    ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// Runs the story of this name once more, in a process that trusts one authority and nobody else.
fn in_a_process_of_its_own(story: &str) {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority(NAME, key).pem()).unwrap();
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("encrypted::{story}"), "--nocapture"])
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR")
        .env(AUTHORITY, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{errors}");
    assert!(said.contains("1 passed"), "{said}");
}

/// The authority that this process trusts; none in the process that tests are started in.
fn trusted() -> Option<Issuer> {
    let folder = std::env::var_os(AUTHORITY)?;
    let key = std::fs::read_to_string(Path::new(&folder).join("key.pem")).unwrap();
    // The same name and key sign as the same authority.
    Some(authority(NAME, KeyPair::from_pem(&key).unwrap()))
}

fn url(receiver: &Receiver, host: &str) -> String {
    format!("https://{host}:{}/hooks", receiver.address.port())
}

async fn told(bench: &Bench, receiver: &Receiver, host: &str) -> WithSecret {
    let endpoint = bench.endpoint(&url(receiver, host), &["*"]).await;
    bench
        .settled(&format!("to {}", endpoint.endpoint.endpoint_id))
        .await;
    bench.work().await;
    endpoint
}

async fn only(bench: &Bench, endpoint: &WithSecret) -> Delivery {
    let mut all = bench.deliveries(endpoint).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_the_machine_trusts_is_accepted() {
    let Some(authority) = trusted() else {
        return in_a_process_of_its_own("a_certificate_that_the_machine_trusts_is_accepted");
    };
    let bench = Bench::start().await;
    for host in ["localhost", "127.0.0.1"] {
        let shown = issued(&authority, &for_host(host));
        let receiver = Receiver::encrypted(showing(shown)).await;
        let endpoint = told(&bench, &receiver, host).await;
        let delivery = only(&bench, &endpoint).await;
        assert_eq!(delivery.failure, None, "{host}");
        assert_eq!(delivery.state(), DeliveryState::Delivered);
        assert_eq!((delivery.attempts, delivery.status), (1, Some(200)));
        let got = receiver.got();
        assert_eq!(got.len(), 1);
        assert!(got[0].is_signed_by(endpoint.secret.expose()));
        let id = &endpoint.endpoint.endpoint_id;
        let by = By::command_line();
        bench.hooks.delete(id, &by).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_refused_told_and_tried_again() {
    let Some(authority) = trusted() else {
        return in_a_process_of_its_own("another_certificate_is_refused_told_and_tried_again");
    };
    let bench = Bench::start().await;
    let mut expired = for_host("localhost");
    expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let stranger = self::authority("Somebody else", KeyPair::generate().unwrap());
    for (shown, says) in [
        (
            self_signed(&for_host("localhost")),
            "this machine does not trust who issued its certificate",
        ),
        (
            issued(&stranger, &for_host("localhost")),
            "this machine does not trust who issued its certificate",
        ),
        (
            issued(&authority, &for_host("elsewhere.example")),
            "its certificate is for another host",
        ),
        (issued(&authority, &expired), "its certificate has expired"),
    ] {
        let receiver = Receiver::encrypted(showing(shown)).await;
        let endpoint = told(&bench, &receiver, "localhost").await;
        let delivery = only(&bench, &endpoint).await;
        let words = format!("no encrypted connection: {says}");
        assert_eq!(delivery.failure, Some(words));
        assert_eq!((delivery.attempts, delivery.status), (1, None));
        assert_eq!(delivery.state(), DeliveryState::Waiting);
        assert!(
            receiver.got().is_empty(),
            "nothing is said to who is not trusted"
        );
        let id = endpoint.endpoint.endpoint_id.clone();
        assert_eq!(bench.hooks.get(&id).await.unwrap().failures, 1);

        // Once its owner has put the right one in its place, the message comes.
        receiver.shows(showing(issued(&authority, &for_host("localhost"))));
        let pause = delivery.due_at.unwrap() - delivery.tried_at.unwrap();
        assert!((60..=66).contains(&pause), "{pause}");
        bench.work().await;
        assert!(receiver.got().is_empty(), "not before its time");
        bench.clock.advance(pause);
        bench.work().await;
        let delivery = only(&bench, &endpoint).await;
        assert_eq!(delivery.failure, None);
        assert_eq!((delivery.attempts, delivery.status), (2, Some(200)));
        assert_eq!(receiver.got().len(), 1);
        let by = By::command_line();
        bench.hooks.delete(&id, &by).await.unwrap();
    }
}
