//! systemd unit files: a service that runs `watch` and a path unit that restarts it when its certificate is renewed.
//! The alternative is a timer that runs `publish`.

/// The sandbox of every service.
const SANDBOX: &str = "\
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
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SocketBindDeny=any
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
";

/// What the services that report have in common. Certificates are passed as credentials, which only the service can
/// read. `ProcSubset=pid` is not possible: it hides /proc/sys, where the boot ID is.
const REPORTING: &str = "\
# Requires systemd 250 or later. The environment file must set at least DEVICE_DEFENDER_ENDPOINT and
# DEVICE_DEFENDER_THING_NAME.
EnvironmentFile=/etc/device-defender/environment
LoadCredential=ca.pem:/etc/device-defender/ca.pem
LoadCredential=cert.pem:/etc/device-defender/cert.pem
LoadCredential=key.pem:/etc/device-defender/key.pem
Environment=DEVICE_DEFENDER_CA_FILE=%d/ca.pem
Environment=DEVICE_DEFENDER_CERT_FILE=%d/cert.pem
Environment=DEVICE_DEFENDER_KEY_FILE=%d/key.pem
StateDirectory=device-defender
StateDirectoryMode=0700
MemoryMax=64M
TasksMax=16

# device-defender.service and device-defender-publish.service share this user, because they share the state directory.
DynamicUser=yes
User=device-defender
PrivateUsers=yes
ProcSubset=all
# AF_NETLINK is needed to read the sockets (--source netlink) and the addresses of the interfaces.
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
";

/// File name and content of each unit.
pub(super) fn units() -> [(&'static str, String); 5] {
    let watch = format!(
        "[Unit]
Description=Report the network state of this device to AWS IoT Device Defender
Documentation=man:device-defender-watch(1)
Wants=network-online.target
After=network-online.target time-sync.target
# The service and the timer must not both send reports.
Conflicts=device-defender-publish.timer

[Service]
Type=notify
ExecStart=/usr/bin/device-defender watch
Restart=always
RestartSec=60
# A restart does not fix wrong settings.
RestartPreventExitStatus=2 65 78
WatchdogSec=2min
TimeoutStopSec=10

{REPORTING}{SANDBOX}
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

{REPORTING}{SANDBOX}"
    );
    let timer = "[Unit]
Description=Send a report to AWS IoT Device Defender every 10 minutes
Documentation=man:device-defender-publish(1)

[Timer]
OnCalendar=*:0/10
# Spreads the reports of a fleet over the interval. The offset of a device stays the same. After a suspend, two reports
# can be less than 5 minutes apart, and the service may then throttle the second one.
RandomizedDelaySec=10min
FixedRandomDelay=yes
AccuracySec=1s

[Install]
WantedBy=timers.target
";
    let path = "[Unit]
Description=Watch the certificate of Device Defender reporting for renewal
Documentation=man:device-defender-watch(1)

[Path]
# systemd passes certificate and key to the service when the service starts, so a renewal requires a restart.
PathChanged=/etc/device-defender/cert.pem
PathChanged=/etc/device-defender/key.pem
PathChanged=/etc/device-defender/ca.pem
Unit=device-defender-renewed.service

[Install]
WantedBy=multi-user.target
";
    let renewed = format!(
        "[Unit]
Description=Restart Device Defender reporting with a renewed certificate
Documentation=man:device-defender-watch(1)

[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl try-restart device-defender.service

# Only root may restart the service, but to ask systemd for it takes no other privilege.
ProcSubset=pid
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
{SANDBOX}"
    );
    [
        ("device-defender.service", watch),
        ("device-defender-renewed.path", path.into()),
        ("device-defender-renewed.service", renewed),
        ("device-defender-publish.service", publish),
        ("device-defender-publish.timer", timer.into()),
    ]
}
