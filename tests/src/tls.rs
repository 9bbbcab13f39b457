//! A certificate authority of the test's own, and certificates for the servers of the rig.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::scratch::{Scratch, set_mode, write};

/// Issues certificates. Two authorities do not trust each other, which is how a test shows a wrong CA.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    ca_file: PathBuf,
}

/// A server's certificate and key as PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key (PKCS#8), readable for its owner only.
    pub key: PathBuf,
    /// Key and certificate in one file, as Postfix wants it in `smtpd_tls_chain_files`.
    pub chain: PathBuf,
}

impl Authority {
    /// Makes a new authority; its files lie in the scratch folder.
    pub fn new(scratch: &Scratch) -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test CA");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.self_signed(&key).expect("the CA can sign itself");
        let folder = scratch.dir("tls");
        let ca_file = folder.join("ca.pem");
        write(&ca_file, certificate.pem());
        Authority { issuer: Issuer::new(params, key), folder, ca_file }
    }

    /// The authority's own certificate, as a PEM file.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// A certificate for the host `name`, valid for `localhost`, 127.0.0.1 and ::1 too.
    pub fn identity(&self, name: &str) -> Identity {
        let names = [name, "localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).expect("the host name is valid");
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("the CA can sign");
        let file = |ending: &str, content: String| {
            let path = self.folder.join(format!("{name}.{ending}"));
            write(&path, content);
            set_mode(&path, 0o600);
            path
        };
        Identity {
            certificate: file("pem", certificate.pem()),
            key: file("key", key.serialize_pem()),
            chain: file("chain", key.serialize_pem() + &certificate.pem()),
        }
    }

    /// What a client needs to trust the servers of this authority and no others.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.ca_file)).expect("the CA's certificate is valid");
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider knows the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

impl Identity {
    /// What a server needs to show this certificate.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("the key file is valid");
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider knows the default versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate(&self.certificate)], key)
            .expect("certificate and key belong together");
        Arc::new(config)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificate(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).expect("the certificate file is valid")
}
