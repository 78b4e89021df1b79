//! Unit files for systemd: a service that runs `watch`, with a path unit that restarts it when its certificate is renewed,
//! and, instead of it, a timer that runs `publish --once`.

/// What both services have in common: settings from a file, certificates as credentials that only the service can read,
/// and nothing of the machine but what it needs. Not `ProcSubset=pid`, which would hide the boot id.
const COMMON: &str = "\
# Takes systemd 250 or later. Settings: DEVICE_DEFENDER_ENDPOINT and DEVICE_DEFENDER_THING_NAME at least.
EnvironmentFile=/etc/device-defender/environment
LoadCredential=ca.pem:/etc/device-defender/ca.pem
LoadCredential=cert.pem:/etc/device-defender/cert.pem
LoadCredential=key.pem:/etc/device-defender/key.pem
Environment=DEVICE_DEFENDER_CA_FILE=%d/ca.pem
Environment=DEVICE_DEFENDER_CERT_FILE=%d/cert.pem
Environment=DEVICE_DEFENDER_KEY_FILE=%d/key.pem
StateDirectory=device-defender
StateDirectoryMode=0700

# The same user for this and the other way to report, as they share a state directory.
DynamicUser=yes
User=device-defender
UMask=0077
LimitCORE=0
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
SystemCallErrorNumber=EPERM
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
# Either this or the timer reports.
Conflicts=device-defender-publish.timer

[Service]
Type=notify
ExecStart=/usr/bin/device-defender watch
Restart=always
RestartSec=60
# Settings that are wrong do not heal by a restart.
RestartPreventExitStatus=2 65 78
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
# A fleet does not report all at once, and each device always at the same offset. Only after a suspend may a report come too
# soon after another, and be throttled.
RandomizedDelaySec=10min
FixedRandomDelay=yes
AccuracySec=1s

[Install]
WantedBy=timers.target
";
    let path = "[Unit]
Description=Notice a renewed certificate of Device Defender reporting
Documentation=man:device-defender-watch(1)

[Path]
# systemd hands certificate and key to the service when it starts, so it has to start again.
PathChanged=/etc/device-defender/cert.pem
PathChanged=/etc/device-defender/key.pem
PathChanged=/etc/device-defender/ca.pem
Unit=device-defender-renewed.service

[Install]
WantedBy=multi-user.target
";
    let renewed = "[Unit]
Description=Restart Device Defender reporting with a renewed certificate
Documentation=man:device-defender-watch(1)

[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl try-restart device-defender.service
";
    let unit = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    vec![
        unit("device-defender.service", &watch),
        unit("device-defender-renewed.path", path),
        unit("device-defender-renewed.service", renewed),
        unit("device-defender-publish.service", &publish),
        unit("device-defender-publish.timer", timer),
    ]
}
