//! What is in `packaging`.

mod debian;
mod greengrass;
mod init;
