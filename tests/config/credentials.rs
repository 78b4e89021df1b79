//! The credentials that a service manager passes, and what `watch` says of credentials before its first report.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::publish;
use crate::support::{CommandLine, Device, accepting};
use crate::watch::running::Watch;

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
    let bare = files.into_iter().fold(device.publish_to(&broker), CommandLine::without);
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
    publish.ends(66, &["none.pem (config.toml, line 4: cert-file): No such file"]);
    passed(&device, &[("cert.pem", "gw.pem"), ("ca.pem", "ca.pem")]);
    let outcome = publish.env("CREDENTIALS_DIRECTORY", "credentials").dry_run();
    outcome.says(&[
        &format!("certificate: credentials/cert.pem ({VARIABLE})"),
        "private key: gw.key (config.toml, line 5",
    ]);
}

/// Runs it as a service whose first report is due in an hour, and returns its log, with priorities, and its status.
fn first_words(device: &Device, told: &str) -> (String, String) {
    let file = File::create(device.path("log")).unwrap();
    let meta = file.metadata().unwrap();
    let line =
        device.watch_port(1).set("--splay", "1h").env("JOURNAL_STREAM", format!("{}:{}", meta.dev(), meta.ino()));
    let mut watch = Watch::start_with(&line, |command| command.stderr(file));
    let status = loop {
        let notice = watch.notice();
        if let Some(status) = notice.strip_prefix("STATUS=first report at ") {
            break status.to_owned();
        }
    };
    watch.stop();
    let log = fs::read_to_string(device.path("log")).unwrap();
    assert!(log.contains(told), "{log}");
    (log, status)
}

#[test]
fn watch_warns_at_its_start_of_credentials_that_cannot_work() {
    let device = Device::with_credentials();
    let (log, status) = first_words(&device, "first report in 1h");
    assert!(!log.contains("<4>") && !status.contains("warning"), "{log}{status}");
    for (name, replacement, told) in [
        ("gw.key", "p384.key", "gw.key (--key-file): this key does not belong to the certificate"),
        ("gw.pem", "expired.pem", "gw.pem (--cert-file): the certificate expired at 2020-"),
        ("gw.pem", "", "gw.pem (--cert-file): No such file or directory"),
        ("ca.pem", "empty", "ca.pem (--ca-file): "),
    ] {
        let device = Device::with_credentials();
        match replacement {
            "" => fs::remove_file(device.path(name)).unwrap(),
            other => device.renew(name, other),
        }
        let (log, status) = first_words(&device, told);
        let warned = log.lines().filter(|line| line.starts_with("<4>warning: ")).any(|line| line.contains(told));
        assert!(warned && log.contains("<5>first report in 1h, then every"), "{log}");
        assert!(status.contains(&format!("Z; warning: {told}")), "{status}");
    }
    // What works and is unwise.
    fs::set_permissions(device.path("gw.key"), Permissions::from_mode(0o644)).unwrap();
    let (log, _) = first_words(&device, "<4>warning: gw.key: any user can read this key");
    assert!(!log.contains("<3>"), "{log}");
}

/// A first report that is due at once says all that by itself.
#[test]
fn a_first_report_that_is_due_at_once_is_not_preceded_by_warnings() {
    let (broker, _service, device) = accepting();
    fs::remove_file(device.path("gw.key")).unwrap();
    let mut watch = device.watch_broker(&broker).start();
    watch.until("gw.key");
    device.renew("gw.key", "ec.key");
    watch.until("accepted");
    watch.stop().logged(&["gw.key (--key-file): No such file", "accepted"]);
}
