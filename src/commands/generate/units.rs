//! systemd unit files: a service that runs `watch` and a path unit that restarts it when its certificate is renewed.
//! The alternative is a timer that runs `publish`.

use std::ffi::OsStr;
use std::path::{self, Path};

use crate::config::{SettingError, checked};
use crate::delivery::mqtt::values::parse_path;
use crate::error::Error;
use crate::exit::Exit;
use crate::terminal::Terminal;

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

/// What the services that report have in common. `ProcSubset=pid` is not possible: it hides /proc/sys, where the boot ID is.
const REPORTING: &str = "\
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

/// The files that systemd passes to the services as credentials, which only they can read: absolute paths, as in unit files.
pub(super) struct Credentials {
    /// Name, as `config` looks for it, and path.
    files: Vec<(&'static str, String)>,
}

impl Default for Credentials {
    /// Those that an administrator puts beside the config file. The certificates to trust are no secret, so the config file
    /// names them, if need be.
    fn default() -> Self {
        let file = |name| (name, format!("/etc/device-defender/{name}"));
        Self { files: vec![file("cert.pem"), file("key.pem")] }
    }
}

impl Credentials {
    /// Those of the Greengrass core below `root`.
    pub(super) fn of_core(root: &Path, terminal: &Terminal) -> Result<Self, Error> {
        let Some(core) = super::find_core(Some(root), terminal)? else { return Ok(Self::default()) };
        let (mut files, mut errors) = (Vec::new(), Vec::new());
        for (name, what, field) in [
            ("ca.pem", "certificates to trust", &core.ca),
            ("cert.pem", "certificate", &core.certificate),
            ("key.pem", "private key", &core.key),
        ] {
            match field {
                Some(field) => {
                    let path = field.clone().parse(in_unit);
                    files.extend(checked(what, path, &mut errors).map(|path| (name, path)));
                }
                None if name == "ca.pem" => {} // those of the system
                None => {
                    let message = format!("no {what}: {} has none", core.file.display());
                    errors.push(SettingError::new(Exit::Settings, what, message));
                }
            }
        }
        if errors.is_empty() { Ok(Self { files }) } else { Err(errors.into()) }
    }

    /// The lines of a service.
    fn load(&self) -> String {
        self.files.iter().flat_map(|(name, path)| ["LoadCredential=", name, ":", path, "\n"]).collect()
    }

    /// The lines of a path unit.
    fn changed(&self) -> String {
        self.files.iter().flat_map(|(_, path)| ["PathChanged=", path, "\n"]).collect()
    }
}

/// The path of a core's file as it is written in a unit file, where `%` begins a specifier, lines are trimmed, and a backslash
/// continues them.
fn in_unit(text: &OsStr) -> Result<String, String> {
    let path = path::absolute(parse_path(text)?).map_err(|error| error.to_string())?;
    let text = path.to_str().ok_or("not UTF-8")?;
    if text.contains(char::is_control) || text.ends_with('\\') || text.trim() != text {
        return Err("systemd cannot be given such a path".to_owned());
    }
    Ok(text.replace('%', "%%"))
}

/// File name and content of each unit.
pub(super) fn units(credentials: &Credentials) -> [(&'static str, String); 5] {
    let load = credentials.load();
    let reporting = format!(
        "\
# Requires systemd 247 or later. The settings are those in /etc/device-defender/config.toml, which device-defender generate
# config prints. The user of this service must be able to read that file.
#
# systemd reads certificate and key as root, and passes copies to this service. While one of the files is missing, the service
# does not start, and systemctl status shows 243/CREDENTIALS.
{load}{REPORTING}"
    );
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

{reporting}{SANDBOX}
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

{reporting}{SANDBOX}"
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
    let changed = credentials.changed();
    let path = format!(
        "[Unit]
Description=Watch the certificate of Device Defender reporting for renewal
Documentation=man:device-defender-watch(1)

[Path]
# systemd passes certificate and key to the service when the service starts, so a renewal requires a restart.
{changed}Unit=device-defender-renewed.service

[Install]
WantedBy=multi-user.target
"
    );
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
        ("device-defender-renewed.path", path),
        ("device-defender-renewed.service", renewed),
        ("device-defender-publish.service", publish),
        ("device-defender-publish.timer", timer.into()),
    ]
}
