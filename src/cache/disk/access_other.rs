//! Who may read the folder: whoever may read the one that it is in.

use std::fs::{DirBuilder, OpenOptions};

pub(super) const fn private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder
}

pub(super) const fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}
