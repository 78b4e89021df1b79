//! What a connection to the nucleus needs.

use std::fmt;
use std::path::PathBuf;

/// The variable in which a nucleus passes the path of its socket to components.
pub(crate) const SOCKET: &str = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT";

/// The variable in which a nucleus passes a component its token.
pub(crate) const TOKEN: &str = "SVCUID";

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) socket: PathBuf,
    pub(crate) token: Token,
}

impl Settings {
    /// The nucleus, for people.
    pub(crate) fn destination(&self) -> String {
        self.socket.display().to_string()
    }
}

/// The secret that a component proves itself with. It is never shown.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
