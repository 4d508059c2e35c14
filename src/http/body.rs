//! Reads a request's body up to its cap and within its time, and not one byte further.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

/// Why a body could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than the cap; reading has stopped.
    TooLarge,
    /// It did not come within its time.
    TooSlow,
    /// The client went away.
    Broken,
}

/// The whole body. A length that is announced to be too long is refused unread.
pub async fn read(body: Body, cap: usize, time: Duration) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > cap {
        return Err(BodyError::TooLarge);
    }
    tokio::time::timeout(time, collect(body, announced, cap))
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(body: Body, announced: usize, cap: usize) -> Result<Bytes, BodyError> {
    let mut chunks = body.into_data_stream();
    let Some(first) = chunks.next().await else {
        return Ok(Bytes::new());
    };
    let first = first.map_err(|_| BodyError::Broken)?;
    if first.len() > cap {
        return Err(BodyError::TooLarge);
    }
    // Most bodies come in one piece, which is then not copied.
    if announced > 0 && first.len() == announced {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if whole.len().saturating_add(chunk.len()) > cap {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    const TIME: Duration = Duration::from_secs(30);

    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<_> = pieces.iter().map(|p| Ok::<_, std::io::Error>(*p)).collect();
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn the_cap_is_the_last_length_that_is_taken() {
        assert_eq!(read(Body::from("12345"), 5, TIME).await.unwrap(), "12345");
        assert_eq!(
            read(pieces(&["12", "345"]), 5, TIME).await.unwrap(),
            "12345"
        );
        assert_eq!(read(Body::empty(), 5, TIME).await.unwrap(), "");
        for body in [
            Body::from("123456"),
            pieces(&["12", "3456"]),
            pieces(&["123456"]),
        ] {
            assert_eq!(read(body, 5, TIME).await, Err(BodyError::TooLarge));
        }
    }

    #[tokio::test]
    async fn reading_stops_at_the_cap() {
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>("x"));
        let body = Body::from_stream(endless);
        assert_eq!(read(body, 1000, TIME).await, Err(BodyError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let never = Body::from_stream(stream::pending::<Result<&str, std::io::Error>>());
        assert_eq!(read(never, 5, TIME).await, Err(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_client_that_goes_away_is_told_from_an_end() {
        let broken = stream::iter([Ok("1"), Err(std::io::Error::other("reset"))]);
        let body = Body::from_stream(broken);
        assert_eq!(read(body, 5, TIME).await, Err(BodyError::Broken));
    }
}
