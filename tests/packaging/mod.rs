//! What is in `packaging`.

mod greengrass;
