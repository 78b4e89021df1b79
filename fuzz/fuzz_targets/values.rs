//! Arbitrary text as an endpoint, a client ID, and the path or URI of a credential file. What is accepted keeps to the rules,
//! and is accepted again.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use device_defender::internals::delivery::{client_id, credential_path, host};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match credential_path(OsStr::from_bytes(bytes)) {
        Ok(path) if bytes.starts_with(b"file:") => assert!(path.is_absolute(), "{path:?}"),
        Ok(path) => {
            assert_eq!(path.as_os_str().as_bytes(), bytes);
            assert!(![&b"pkcs11:"[..], b"handle:", b"parsec:"].iter().any(|scheme| bytes.starts_with(scheme)));
        }
        Err(reason) => assert!(!reason.is_empty()),
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    match host(text) {
        Ok(name) => {
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:".contains(&b)), "{name:?}");
            assert_eq!(host(&name).as_ref(), Ok(&name));
        }
        Err(reason) => assert!(!reason.is_empty()),
    }
    match client_id(text) {
        Ok(id) => assert!(id == text && (1..=128).contains(&id.len()) && !id.contains(char::is_control)),
        Err(reason) => assert!(!reason.is_empty()),
    }
});
