//! TLS: which roots are trusted, what a refused certificate is called, and how bytes leave.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};
use twinguard_core::module::{CloseCause, CloseKind};

use crate::error::{Error, ErrorKind};

/// What root certificates given by the host mean for those that come with the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RootMode {
    /// Trusted as well.
    Add,
    /// Trusted instead.
    Replace,
}

/// The two roots that IoT Hub's servers chain to, now and after planned moves (source: Azure IoT
/// Hub docs, "TLS support in IoT Hub"). SHA-256 fingerprints are checked by a test below.
const BUNDLED: [&[u8]; 2] = [
    include_bytes!("../../roots/DigiCert_Global_Root_G2.pem"),
    include_bytes!("../../roots/Microsoft_RSA_Root_Certificate_Authority_2017.pem"),
];

/// More than any trust store has; a bound for what a host hands in.
const MAX_ROOTS: usize = 1_000;

/// The trusted roots: bundled, given, or both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    given: Vec<CertificateDer<'static>>,
    without_bundled: bool,
}

impl Roots {
    /// Takes every certificate of a PEM text.
    pub(crate) fn add_pem(&mut self, pem: &[u8], mode: RootMode) -> Result<(), Error> {
        let bad = |text: String| Error::new(ErrorKind::Certificate, text);
        let mut check = RootCertStore::empty();
        let mut found = Vec::new();
        for (index, item) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let place = || format!("root certificates, number {}", index + 1);
            if index >= MAX_ROOTS {
                return Err(bad(format!("root certificates: more than {MAX_ROOTS}")));
            }
            let root = item.map_err(|e| bad(format!("{}: not PEM: {e:?}", place())))?;
            check.add(root.clone()).map_err(|e| {
                bad(format!("{}: not a usable certificate: {e}", place())).with_source(e)
            })?;
            found.push(root);
        }
        if found.is_empty() {
            return Err(bad(
                "root certificates: no CERTIFICATE block in the PEM text".into(),
            ));
        }
        self.given.extend(found);
        self.without_bundled |= mode == RootMode::Replace;
        Ok(())
    }

    /// The settings that all connections of a module share: with them go the session tickets, so
    /// that a planned renewal resumes and does not exchange certificates again.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        let bad = |e: rustls::Error| {
            Error::new(ErrorKind::Certificate, format!("root certificates: {e}")).with_source(e)
        };
        let mut store = RootCertStore::empty();
        if !self.without_bundled {
            for pem in BUNDLED {
                for root in CertificateDer::pem_slice_iter(pem).flatten() {
                    store.add(root).map_err(bad)?;
                }
            }
        }
        for root in &self.given {
            store.add(root.clone()).map_err(bad)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|e| Error::new(ErrorKind::Internal, format!("TLS: {e}")).with_source(e))?
            .with_root_certificates(store)
            .with_no_client_auth();
        // One hub, perhaps a gateway: a handful of tickets is plenty.
        config.resumption = Resumption::in_memory_sessions(8);
        Ok(Arc::new(config))
    }
}

/// A client connection to `host`, which is also the name in SNI and in the certificate.
pub(crate) fn client(
    config: &Arc<ClientConfig>,
    host: &str,
) -> Result<ClientConnection, CloseCause> {
    let failed = |text: String| CloseCause {
        kind: CloseKind::Tls,
        detail: text,
    };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| failed(format!("{host}: not a name that TLS can check")))?;
    ClientConnection::new(config.clone(), name).map_err(|e| failed(format!("{host}: TLS: {e}")))
}

/// The cause in one line that names the host and the reason.
pub(crate) fn cause(host: &str, error: &rustls::Error) -> CloseCause {
    match error {
        rustls::Error::InvalidCertificate(reason) => CloseCause {
            kind: CloseKind::Certificate,
            detail: format!("{host}: certificate not accepted: {}", certificate(reason)),
        },
        rustls::Error::NoCertificatesPresented => CloseCause {
            kind: CloseKind::Certificate,
            detail: format!("{host}: certificate not accepted: the server showed none"),
        },
        other => CloseCause {
            kind: CloseKind::Tls,
            detail: format!("{host}: TLS: {other}"),
        },
    }
}

fn certificate(reason: &CertificateError) -> String {
    use CertificateError as E;
    match reason {
        E::UnknownIssuer => "unknown CA (not signed by a trusted root)".to_owned(),
        // A CA that was made anew under its old name.
        E::BadSignature => "unknown CA (the signature is not that of a trusted root)".to_owned(),
        E::NotValidForNameContext { presented, .. } => {
            // What the peer wrote is bounded before it is shown.
            let names: String = presented.join(", ").chars().take(200).collect();
            format!("wrong name (it is for {names})")
        }
        E::NotValidForName => "wrong name".to_owned(),
        E::Expired | E::ExpiredContext { .. } => {
            format!("expired, or the clock of this machine is wrong ({reason})")
        }
        E::NotValidYet | E::NotValidYetContext { .. } => {
            format!("not valid yet, or the clock of this machine is wrong ({reason})")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As published by DigiCert and by Microsoft PKI, and in the IoT Hub docs.
    const FINGERPRINTS: [&str; 2] = [
        "cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f",
        "c741f70f4b2a8d88bf2e71c14122ef53ef10eba0cfa5e64cfa20f418853073e0",
    ];

    #[test]
    fn the_bundled_roots_are_the_published_ones() {
        for (pem, expected) in BUNDLED.iter().zip(FINGERPRINTS) {
            let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
                .map(Result::unwrap)
                .collect();
            assert_eq!(roots.len(), 1);
            let digest = ring::digest::digest(&ring::digest::SHA256, &roots[0]);
            let hex: String = digest
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(hex, expected);
        }
    }

    #[test]
    fn bad_roots_are_refused_with_their_place() {
        let mut roots = Roots::default();
        for (pem, expected) in [
            (&b""[..], "no CERTIFICATE block"),
            (b"hello", "no CERTIFICATE block"),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "number 1",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n",
                "number 1",
            ),
        ] {
            let error = roots.add_pem(pem, RootMode::Add).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Certificate);
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(roots.given.is_empty());
    }

    #[test]
    fn replace_leaves_only_the_given_roots() {
        let mut roots = Roots::default();
        roots.add_pem(BUNDLED[0], RootMode::Replace).unwrap();
        assert!(roots.without_bundled);
        roots.config().unwrap();
    }
}
