//! Bodies as they are stored: packed by LZ4 on SQLite, where every page of the file that an event
//! needs is written twice and read once; as they are on PostgreSQL, which packs by itself. What
//! comes back is byte for byte what came in, whichever way it was stored.

use std::borrow::Cow;
use std::cell::RefCell;

use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress, get_maximum_output_size,
};
use sqlx::FromRow;

use super::{NewEvent, StoredEvent};
use crate::store::dialect::Engine;

/// Bodies below this are stored as they are: there is little to win.
const PACKED_FROM: usize = 256;
/// A byte of LZ4 stands for no more than this many: no room is made for a length beyond that.
const PACKED_BY_MAX: usize = 256;

thread_local! {
    /// What LZ4 keeps in mind of one body, and room for its result: made once a thread.
    static PACKER: RefCell<(CompressTable, Vec<u8>)> = RefCell::default();
}

/// A body packed by LZ4, if that makes it shorter.
pub(super) fn pack(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < PACKED_FROM {
        return None;
    }
    PACKER.with_borrow_mut(|(table, room)| {
        let most = get_maximum_output_size(body.len());
        if room.len() < most {
            room.resize(most, 0);
        }
        let length = compress_into_with_table(body, room, table).ok()?;
        let packed = room
            .get(..length)
            .filter(|packed| packed.len() < body.len());
        packed.map(<[u8]>::to_vec)
    })
}

/// An event's body as it is stored, and its length where that is not the stored one.
pub(super) fn stored(engine: Engine, event: &NewEvent) -> (Cow<'_, [u8]>, Option<i64>) {
    let body = event.body.as_slice();
    let packed = match (engine, &event.packed) {
        (Engine::Postgres, _) => None,
        (Engine::Sqlite, Some(packed)) => Some(Cow::Borrowed(packed.as_slice())),
        (Engine::Sqlite, None) => pack(body).map(Cow::Owned),
    };
    match (packed, i64::try_from(body.len())) {
        (Some(packed), Ok(length)) => (packed, Some(length)),
        _ => (Cow::Borrowed(body), None),
    }
}

/// The body that was stored like this. One that was damaged since comes as it is stored: that
/// reads as no event, for which `verify` names it, and the others are read as ever.
pub(super) fn unpacked(stored: Vec<u8>, unpacked_bytes: Option<i64>) -> Vec<u8> {
    let Some(unpacked_bytes) = unpacked_bytes else {
        return stored;
    };
    decompressed(&stored, unpacked_bytes).unwrap_or_else(|| {
        tracing::error!(
            stored_bytes = stored.len(),
            unpacked_bytes,
            "a stored body cannot be unpacked; run `qualify verify`"
        );
        stored
    })
}

/// What LZ4 makes of it, if that is of the length that was noted beside it.
fn decompressed(stored: &[u8], unpacked_bytes: i64) -> Option<Vec<u8>> {
    let length = usize::try_from(unpacked_bytes).ok()?;
    if length > stored.len().saturating_mul(PACKED_BY_MAX) {
        return None;
    }
    let body = decompress(stored, length).ok()?;
    (body.len() == length).then_some(body)
}

/// A stored event as the database holds it.
#[derive(FromRow)]
pub(super) struct Row {
    event_id: String,
    event_type: String,
    api_version: Option<String>,
    created_at: i64,
    received_at_us: i64,
    mode: String,
    body: Vec<u8>,
    unpacked_bytes: Option<i64>,
    state: String,
}

/// The events of some rows, in their order.
pub(super) fn events(rows: Vec<Row>) -> Vec<StoredEvent> {
    let event = |row: Row| StoredEvent {
        event_id: row.event_id,
        event_type: row.event_type,
        api_version: row.api_version,
        created_at: row.created_at,
        received_at_us: row.received_at_us,
        mode: row.mode,
        body: unpacked(row.body, row.unpacked_bytes),
        state: row.state,
    };
    rows.into_iter().map(event).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    proptest! {
        #[test]
        fn every_body_comes_back_byte_for_byte(
            body in proptest::collection::vec(any::<u8>(), 0..2_000),
            times in 1_usize..4,
        ) {
            let body = body.repeat(times);
            if let Some(packed) = pack(&body) {
                prop_assert!(packed.len() < body.len());
                let length = i64::try_from(body.len()).ok();
                prop_assert_eq!(unpacked(packed, length), body);
            }
        }
    }

    #[test]
    fn what_repeats_itself_is_packed_and_what_does_not_is_not() {
        let packed = pack(&b"\"object\": null,\n".repeat(100)).unwrap();
        assert!(packed.len() < 100, "{}", packed.len());
        let noise: Vec<u8> = (0..32_u8).flat_map(|n| Sha256::digest([n])).collect();
        assert_eq!(pack(&noise), None);
    }

    #[test]
    fn a_damaged_body_comes_as_it_is_stored() {
        let packed = pack(&b"\"object\": null,\n".repeat(100)).unwrap();
        let cut = packed.get(..packed.len() / 2).unwrap().to_vec();
        assert_eq!(unpacked(cut.clone(), Some(1_600)), cut);
        for length in [1_601, 1_599, 0, -1, i64::MAX] {
            assert_eq!(unpacked(packed.clone(), Some(length)), packed, "{length}");
        }
    }
}
