//! Unit files for systemd: a service that runs `watch`, and a timer that runs `publish --once`. Either, not both.

/// What both services have in common: settings from a file, certificates as credentials that only the service can read,
/// and nothing of the machine but what it needs. Not `ProcSubset=pid`, which would hide the boot id.
const COMMON: &str = "\
# Settings: DEVICE_DEFENDER_ENDPOINT and DEVICE_DEFENDER_THING_NAME at least.
EnvironmentFile=/etc/device-defender/environment
LoadCredential=ca.pem:/etc/device-defender/ca.pem
LoadCredential=cert.pem:/etc/device-defender/cert.pem
LoadCredential=key.pem:/etc/device-defender/key.pem
Environment=DEVICE_DEFENDER_CA_FILE=%d/ca.pem
Environment=DEVICE_DEFENDER_CERT_FILE=%d/cert.pem
Environment=DEVICE_DEFENDER_KEY_FILE=%d/key.pem
StateDirectory=device-defender
StateDirectoryMode=0700

DynamicUser=yes
UMask=0077
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=all
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
# Netlink is how the system tells which interface has which address.
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
MemoryMax=64M
TasksMax=16
";

/// Every unit file under its name.
pub(super) fn units() -> Vec<(String, Vec<u8>)> {
    let watch = format!(
        "[Unit]
Description=Report the network state of this device to AWS IoT Device Defender
Documentation=man:device-defender-watch(1)
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=notify
ExecStart=/usr/bin/device-defender watch
Restart=on-failure
RestartSec=60
# Settings that are wrong do not heal by a restart.
RestartPreventExitStatus=2 78
WatchdogSec=2min
TimeoutStopSec=10

{COMMON}
[Install]
WantedBy=multi-user.target
"
    );
    let publish = format!(
        "[Unit]
Description=Send one report to AWS IoT Device Defender
Documentation=man:device-defender-publish(1)
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=oneshot
ExecStart=/usr/bin/device-defender publish --once
TimeoutStartSec=2min

{COMMON}"
    );
    let timer = "[Unit]
Description=Send a report to AWS IoT Device Defender every 10 minutes
Documentation=man:device-defender-publish(1)

[Timer]
OnCalendar=*:0/10
# A fleet does not report all at once, and each device always at the same offset, so that no report comes too soon after
# another.
RandomizedDelaySec=10min
FixedRandomDelay=yes
AccuracySec=1s

[Install]
WantedBy=timers.target
";
    let unit = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    vec![
        unit("device-defender.service", &watch),
        unit("device-defender-publish.service", &publish),
        unit("device-defender-publish.timer", timer),
    ]
}
