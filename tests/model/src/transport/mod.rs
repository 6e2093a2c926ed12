//! What the files of abide that are included here name of the room with the pool.

pub(crate) mod pool;
