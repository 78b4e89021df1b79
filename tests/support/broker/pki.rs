//! Keys and certificates, made by `openssl` once for a test binary.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::LazyLock;

use super::{spawn, tool};

/// What both scripts make certificates with. `NAME.pem` is a certificate, `NAME.key` its key.
const TOOLS: &str = r"
set -eu

ca() { # ca NAME: a certificate authority
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $1.key -out $1.pem \
        -subj '/O=Device Defender tests/CN=Test authority '$1 -days 3650
}
request() { # request NAME CN OPTION...: a key and a request for a certificate
    name=$1 cn=$2
    shift 2
    openssl req -new -nodes -keyout $name.key -out $name.csr -subj '/O=Device Defender tests/CN='$cn $*
}
ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1'
sign() { # sign NAME CA EXTENSIONS: the certificate, valid for ten years
    openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 3650 -extfile $3 -out $1.pem
}
sign_at() { # sign_at DATE NAME CA EXTENSIONS: the certificate, valid for 30 days since DATE
    faketime $1' 00:00:00' openssl x509 -req -in $2.csr -CA $3.pem -CAkey $3.key -CAcreateserial -days 30 \
        -extfile $4 -out $2.pem
}
";

/// Makes what nearly every test needs.
const BASE: &str = r"
printf 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,DNS:broker.test,IP:127.0.0.1,IP:::1\n' >here
printf 'basicConstraints=CA:FALSE\n' >client

ca ca
request server localhost $ec
sign server ca here
request ec gw $ec
sign ec ca client
chmod 600 *.key
";

/// Makes all the others.
const REST: &str = r"
printf 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:elsewhere.example\n' >elsewhere
printf 'basicConstraints=critical,CA:TRUE\n' >authority

ca other-ca
faketime '2020-01-01 00:00:00' openssl req -x509 -key ca.key -out expired-ca.pem -days 30 \
    -subj '/O=Device Defender tests/CN=Test authority ca'
cat other-ca.pem ca.pem >both-ca.pem

for name in server-expired server-early server-elsewhere server-unknown; do request $name localhost $ec; done
sign_at 2020-01-01 server-expired ca here
sign_at 2098-01-01 server-early ca here
sign server-elsewhere ca elsewhere
sign server-unknown other-ca here

# What no client accepts.
for name in server-chain server-stale server-v1 server-purpose server-critical server-odd server-names short-ca deep-ca stale-ca; do
    request $name $name $ec
done
printf 'basicConstraints=critical,CA:TRUE,pathlen:0\n' >short
printf 'basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;DNS:elsewhere.example\n' >names
{ cat here; printf 'extendedKeyUsage=clientAuth,1.2.3.4\n'; } >purpose
{ cat here; printf '1.2.3.4=critical,DER:05:00\n'; } >critical
sign short-ca ca short
sign deep-ca short-ca authority
sign server-chain deep-ca here
sign_at 2020-01-01 stale-ca ca authority
sign server-stale stale-ca here
request names-ca names-ca $ec
sign names-ca ca names
sign server-names names-ca here
for chain in 'server-chain deep-ca short-ca' 'server-stale stale-ca' 'server-names names-ca'; do
    set -- $chain
    leaf=$1
    shift
    for above; do cat $above.pem >>$leaf.pem; done
done
sign server-purpose ca purpose
sign server-critical ca critical
openssl x509 -req -in server-v1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out server-v1.pem
openssl req -x509 -newkey ed448 -nodes -keyout odd-ca.key -out odd-ca.pem -subj '/CN=Ed448 authority' -days 3650
sign server-odd odd-ca here
openssl req -x509 $ec -nodes -keyout server-self.key -out server-self.pem -subj '/CN=localhost' -days 3650 \
    -addext 'subjectAltName=DNS:localhost'
ca twin
openssl req -x509 -key twin.key -out twin-ca.pem -days 3650 -subj '/O=Device Defender tests/CN=Test authority ca'

request rsa gw -newkey rsa:2048
sign rsa ca client
openssl rsa -in rsa.key -traditional -out rsa-pkcs1.key
openssl ecparam -name prime256v1 >ec-sec1.key # a block of parameters comes first, as from openssl ecparam -genkey
openssl ec -in ec.key >>ec-sec1.key
request p384 gw -newkey ec -pkeyopt ec_paramgen_curve:secp384r1
sign p384 ca client
openssl ec -in p384.key -out p384-sec1.key
request v1 gw -newkey rsa:2048
openssl x509 -req -in v1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out v1.pem
openssl x509 -in v1.pem -noout -text | grep -q 'Version: 1 '
request intermediate intermediate $ec
sign intermediate ca authority
request chained gw $ec
sign chained intermediate client
cat intermediate.pem >>chained.pem
cat ec.pem ec.key >together.key # one file for both
cp together.key together.pem
sed 's/$/\r/' ec.key >windows.key
sed 's/$/\r/' ec.pem >windows.pem
{ printf 'Bag Attributes\n    friendlyName: gw\nKey Attributes: <No Attributes>\n'; cat ec.key; } >bag.key
openssl x509 -in ec.pem -text >bag.pem

# Labels that name another format than the key has.
sed '1,/END EC PARAMETERS/d; s/EC PRIVATE/PRIVATE/' ec-sec1.key >sec1-as-pkcs8.key
sed 's/ PRIVATE/ RSA PRIVATE/' ec.key >pkcs8-as-pkcs1.key
sed 's/RSA PRIVATE/PRIVATE/' rsa-pkcs1.key >pkcs1-as-pkcs8.key
mark='\357\273\277'
for name in ec.key ec.pem; do { printf $mark; sed 's/^/\t /' $name; } >indented-$name; done
openssl ec -in ec.key -param_enc explicit -out explicit.key
openssl pkcs8 -topk8 -nocrypt -in explicit.key -out explicit-pkcs8.key
openssl ec -in ec.key -no_public -out without-public.key
openssl pkey -in ec.key -pubout -out public.key
openssl ec -in ec.key -outform DER -out der-sec1.key
openssl x509 -in ec.pem -outform DER -out der.pem
openssl x509 -in ec.pem -trustout -out trusted.pem
openssl crl2pkcs7 -nocrl -certfile ec.pem -out pkcs7.pem
openssl pkcs12 -export -in ec.pem -inkey ec.key -passout pass: -out pkcs12.pem

request p521 gw -newkey ec -pkeyopt ec_paramgen_curve:secp521r1
sign p521 ca client
openssl pkcs8 -topk8 -in ec.key -passout pass:secret -out encrypted.key
openssl ec -in ec.key -aes128 -passout pass:secret -out encrypted-sec1.key
openssl pkcs8 -topk8 -nocrypt -in ec.key -outform DER -out der.key
for name in expired early foreign; do request $name gw $ec; done
sign_at 2020-01-01 expired ca client
sign_at 2098-01-01 early ca client
sign foreign other-ca client
: >empty
head -n 2 ec.pem >half.pem
chmod 600 *.key
";

static DIR: LazyLock<Dir> = LazyLock::new(Dir::new);
static ALL: LazyLock<()> = LazyLock::new(|| run(&DIR.path, REST));

/// Where the files are.
struct Dir {
    path: PathBuf,
    /// Removes it when this process is gone, as nothing static is ever dropped.
    _remover: Child,
}

impl Dir {
    fn new() -> Self {
        let path = tempfile::tempdir().unwrap().keep();
        let mut remover = tool("sh");
        remover.args(["-c", r#"cat; rm -r "$0""#]).arg(&path).stdin(Stdio::piped()).stdout(Stdio::null());
        let remover = spawn(&mut remover);
        run(&path, BASE);
        Self { path, _remover: remover }
    }
}

/// Runs a script in a directory.
fn run(dir: &Path, script: &str) {
    let mut shell = tool("sh");
    shell.env("TZ", "UTC").current_dir(dir).arg("-s");
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut shell = spawn(&mut shell);
    shell.stdin.take().unwrap().write_all(format!("{TOOLS}{script}").as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no certificates; are openssl and faketime installed?\n{told}");
}

/// The path of a file of the key infrastructure.
pub(crate) fn pki(name: &str) -> PathBuf {
    let path = DIR.path.join(name);
    if !["ca.pem", "server.pem", "server.key", "ec.pem", "ec.key"].contains(&name) {
        LazyLock::force(&ALL);
        assert!(path.exists(), "{}", path.display());
    }
    path
}

/// The same as text.
pub(crate) fn pki_str(name: &str) -> String {
    pki(name).into_os_string().into_string().unwrap()
}

/// Copies files of the key infrastructure to a directory, keys with mode 0600.
pub(crate) fn copy_pki(names: &[&str], dir: &Path) {
    for name in names {
        fs::copy(pki(name), dir.join(name)).unwrap();
    }
}
