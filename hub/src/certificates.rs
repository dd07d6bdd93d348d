//! The hub's own CA and its server certificate.
//!
//! The CA is made once per folder and never changes, so that clients can keep trusting it. The
//! server certificate is issued at every start for the names in use. Keys are ECDSA P-256: ring
//! makes no RSA keys. The cloud's certificates are RSA; every official client takes both.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SanType,
};
use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName as RootHint, Error as TlsError, ServerConfig,
    SignatureScheme,
};

use crate::error::HubError;

const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca-key.pem";
const SERVER_KEY_FILE: &str = "server-key.pem";
/// A clock that is a day late must not make a fresh certificate invalid.
const BACKDATED: Duration = Duration::DAY;
const CA_LIFE: Duration = Duration::days(3650);
const SERVER_LIFE: Duration = Duration::days(365);

/// What clients have to trust, and what the servers show them.
pub(crate) struct Certificates {
    pub(crate) ca_file: PathBuf,
    pub(crate) ca_pem: String,
    pub(crate) mqtt: Arc<ServerConfig>,
    pub(crate) https: Arc<ServerConfig>,
}

impl Certificates {
    /// Reads or makes the CA in `directory` and issues a certificate for `names`.
    pub(crate) fn prepare(directory: &Path, names: &[String]) -> Result<Self, HubError> {
        let ca_key = read_or_make_key(&directory.join(CA_KEY_FILE))?;
        let ca_file = directory.join(CA_FILE);
        let ca_params = ca_params(&ca_key);
        let ca_pem = read_or_make(&ca_file, 0o644, || {
            ca_params
                .self_signed(&ca_key)
                .map(|ca| ca.pem())
                .map_err(trouble("CA certificate"))
        })?;
        let server_key = read_or_make_key(&directory.join(SERVER_KEY_FILE))?;
        let issuer = Issuer::new(ca_params, ca_key);
        let server = issue(names, &server_key, &issuer)?;
        let ca_file = fs::canonicalize(&ca_file).map_err(|source| HubError::File {
            path: ca_file.clone(),
            source,
        })?;
        Ok(Self {
            ca_file,
            ca_pem,
            mqtt: Arc::new(server_config(&server, &server_key, true)?),
            https: Arc::new(server_config(&server, &server_key, false)?),
        })
    }
}

/// Makes a folder that only the owner can enter.
pub(crate) fn make_directory(path: &Path) -> Result<(), HubError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| HubError::File {
            path: path.to_path_buf(),
            source,
        })
}

fn ca_params(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Two CAs must not share a name, or a client that trusts both may pick the wrong one.
    let id = params.key_identifier(key);
    let id: String = id
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    params.distinguished_name = common_name(&format!("twinguard-hub development CA {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATED;
    params.not_after = now + CA_LIFE;
    params
}

fn issue(
    names: &[String],
    key: &KeyPair,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<Certificate, HubError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("twinguard-hub");
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ok(SanType::DnsName(
                name.as_str().try_into().map_err(trouble(name))?,
            )),
        })
        .collect::<Result<_, HubError>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATED;
    params.not_after = now + SERVER_LIFE;
    params
        .signed_by(key, issuer)
        .map_err(trouble("server certificate"))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn server_config(
    certificate: &Certificate,
    key: &KeyPair,
    ask_for_client_certificate: bool,
) -> Result<ServerConfig, HubError> {
    let provider = Arc::new(ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(trouble("TLS"))?;
    let builder = if ask_for_client_certificate {
        builder.with_client_cert_verifier(Arc::new(AskOnly(provider)))
    } else {
        builder.with_no_client_auth()
    };
    builder
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .map_err(trouble("server certificate"))
}

fn trouble<E: std::fmt::Display>(subject: &str) -> impl Fn(E) -> HubError {
    let subject = subject.to_owned();
    move |e| HubError::Certificate {
        subject: subject.clone(),
        message: e.to_string(),
    }
}

fn read_or_make_key(path: &Path) -> Result<KeyPair, HubError> {
    let pem = read_or_make(path, 0o600, || {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(trouble("key"))?;
        Ok(key.serialize_pem())
    })?;
    KeyPair::from_pem(&pem).map_err(trouble(&path.display().to_string()))
}

/// Reads a file, or makes it whole under another name first: a kill leaves no half file.
fn read_or_make(
    path: &Path,
    mode: u32,
    make: impl FnOnce() -> Result<String, HubError>,
) -> Result<String, HubError> {
    let trouble = |source| HubError::File {
        path: path.to_path_buf(),
        source,
    };
    match fs::read_to_string(path) {
        Ok(text) => return Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(trouble(e)),
    }
    let text = make()?;
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, path))
        .map_err(trouble)?;
    Ok(text)
}

/// Asks for a client certificate as IoT Hub does, and takes any: whose it is gets decided at
/// CONNECT, where the identity is known.
#[derive(Debug)]
struct AskOnly(Arc<CryptoProvider>);

impl ClientCertVerifier for AskOnly {
    fn root_hint_subjects(&self) -> &[RootHint] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
