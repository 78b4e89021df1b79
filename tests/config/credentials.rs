//! The credentials that a service manager passes.

use std::fs;

use super::publish;
use crate::support::{Device, accepting};

const VARIABLE: &str = "environment variable CREDENTIALS_DIRECTORY";

fn passed(device: &Device, names: &[(&str, &str)]) {
    fs::create_dir_all(device.path("credentials")).unwrap();
    for (name, from) in names {
        fs::copy(device.path(from), device.path("credentials").join(name)).unwrap();
    }
}

#[test]
fn credentials_of_the_service_are_used_where_no_files_are_given() {
    let (broker, service, device) = accepting();
    let files = ["--ca-file", "--cert-file", "--key-file"];
    let bare = files.into_iter().fold(device.publish_to(&broker), |line, flag| line.without(flag));
    let bare = bare.env("CREDENTIALS_DIRECTORY", device.path("credentials"));
    bare.ends(78, &["no certificate: give --cert-file", "no private key"]);
    passed(&device, &[("ca.pem", "ca.pem"), ("cert.pem", "gw.pem"), ("key.pem", "gw.key")]);
    bare.succeeds();
    assert_eq!(service.reports().len(), 1);
    let directory = device.path("credentials").display().to_string();
    let shown = |what: &str, name: &str| format!("{what}: {directory}/{name} ({VARIABLE})\n");
    let outcome = bare.dry_run();
    outcome.says(&[&shown("certificates to trust", "ca.pem"), &shown("certificate", "cert.pem")]);
    outcome.says(&[&shown("private key", "key.pem")]);

    // Each for itself; a flag wins.
    fs::remove_file(device.path("credentials/ca.pem")).unwrap();
    bare.dry_run().says(&["certificates to trust: the system's (default)"]);
    let outcome = bare.clone().set("--cert-file", "gw.pem").set("--ca-file", "ca.pem").dry_run();
    outcome.says(&[
        "certificate: gw.pem (--cert-file)",
        "to trust: ca.pem (--ca-file)",
        &shown("private key", "key.pem"),
    ]);
    let outcome = bare.env("DEVICE_DEFENDER_KEY_FILE", "gw.key").dry_run();
    outcome.says(&["private key: gw.key (environment variable DEVICE_DEFENDER_KEY_FILE)"]);
    // Nothing is asked for without TLS.
    let plain = device.publish_plain(broker.plain).env("CREDENTIALS_DIRECTORY", directory);
    plain.dry_run().says_nothing_of(&["credentials/"]);
}

/// The service cannot read the files that the config file names for root: it gets copies of them.
#[test]
fn credentials_of_the_service_win_over_the_config_file() {
    let (device, publish) = publish(
        "endpoint = 'a.example'\nthing-name = 'gw'\nca-file = 'none.pem'\ncert-file = 'none.pem'\nkey-file = 'gw.key'\n",
    );
    publish.ends(66, &["none.pem: No such file"]);
    passed(&device, &[("cert.pem", "gw.pem"), ("ca.pem", "ca.pem")]);
    let outcome = publish.env("CREDENTIALS_DIRECTORY", "credentials").dry_run();
    outcome.says(&[
        &format!("certificate: credentials/cert.pem ({VARIABLE})"),
        "private key: gw.key (config.toml, line 5",
    ]);
}
