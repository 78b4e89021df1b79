//! What is in `packaging`.

mod greengrass;
mod init;
