//! A long life of an installation, act by act, drawn by dice: the demo's half year in shuffled,
//! repeated and late events, and people who edit campaigns, suspend promoters, decide cases, run
//! batches and make mistakes. The same seed does the same to every installation that answers the
//! same.

use std::collections::BTreeMap;

use qualify::clock::Clock as _;
use qualify::demo::story::{Act, SEED, STARTS_UNIX, Step, Story};
use qualify::domain::access::By;
use qualify::domain::time::{DAY_SECONDS, Timestamp};
use qualify::registry::referrals;
use serde_json::json;

use super::world::{Answer, World};

/// Of ten acts, those that are days of the story.
const DAYS_IN_TEN: usize = 4;

/// `SplitMix64`: Steele, Lea, Flood 2014.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `below`.
    fn roll(&mut self, below: usize) -> usize {
        usize::try_from(self.next() % below.max(1) as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        (!among.is_empty()).then(|| &among[self.roll(among.len())])
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.roll(last + 1));
        }
    }
}

/// What is done next.
pub struct Acts {
    dice: Dice,
    story: std::vec::IntoIter<Step>,
    /// The step that was taken from the story and is not due yet.
    held: Option<Step>,
    /// Events that come later than they should.
    late: Vec<String>,
    days_at_once: i64,
    number: usize,
    /// How often each kind was done.
    pub done: BTreeMap<&'static str, usize>,
}

impl Acts {
    /// The first days of the half year, in about this many acts.
    pub fn new(seed: u64, acts: usize, days: i64) -> Self {
        let day_acts = i64::try_from((acts * DAYS_IN_TEN / 10).max(1)).unwrap();
        Self {
            dice: Dice(seed),
            story: Story::new(SEED).steps.into_iter(),
            held: None,
            late: Vec::new(),
            days_at_once: (days + day_acts - 1) / day_acts,
            number: 0,
            done: BTreeMap::new(),
        }
    }

    /// Does the next thing; what it was, and what was answered.
    pub async fn act(&mut self, world: &World) -> String {
        let number = self.number;
        self.number += 1;
        // In turn, so that few acts are of every kind as well.
        let kind = if number % 10 % 5 < 2 {
            0
        } else {
            1 + self.dice.roll(12)
        };
        let (what, answer) = match kind {
            0 => ("days", self.days(world).await),
            1 | 2 => ("batch", shown(&world.post("/batches/run", json!({})).await)),
            3 => ("campaign", self.campaign(world).await),
            4 => ("suspension", self.suspension(world).await),
            5 => ("promoter", self.promoter(world).await),
            6 | 7 => ("decision", self.decide(world).await),
            8 => ("undo", self.undo(world).await),
            9 => ("replay", self.replay(world).await),
            10 => ("conflict", self.conflict(world).await),
            11 => ("referral", self.refer(world).await),
            _ => ("refusals", self.refusals(world).await),
        };
        *self.done.entry(what).or_default() += 1;
        world.catch_up().await;
        format!("{number} {what}: {answer}")
    }

    /// Some days of the story: their referrals, and their events in any order.
    async fn days(&mut self, world: &World) -> String {
        let until = world.clock.now().unix() + self.days_at_once * DAY_SECONDS;
        let (mut referred, mut bodies) = (Vec::new(), std::mem::take(&mut self.late));
        while let Some(step) = self.held.take().or_else(|| self.story.next()) {
            if step.at.unix() >= until {
                self.held = Some(step);
                break;
            }
            match step.act {
                Act::Refer(input) => referred.push(input),
                Act::Deliver(body) if self.dice.roll(20) == 0 => self.late.push(body),
                Act::Deliver(body) => {
                    if self.dice.roll(15) == 0 {
                        bodies.push(body.clone());
                    }
                    bodies.push(body);
                }
            }
        }
        world.clock.set(Timestamp::from_unix(until).unwrap());
        self.dice.shuffle(&mut bodies);
        // Half of them come before anybody has said who was referred.
        let half = bodies.len() / 2;
        world.deliver(&bodies[..half]).await;
        world.catch_up().await;
        let mut refused = 0;
        for input in &referred {
            let clock = world.clock.as_ref();
            let by = By::command_line();
            let made = referrals::register(&world.db, &world.id, clock, input, &by).await;
            refused += usize::from(made.is_err());
        }
        world.deliver(&bodies[half..]).await;
        format!(
            "{} events, {} referrals, {refused} refused",
            bodies.len(),
            referred.len()
        )
    }

    /// Saves a campaign with another threshold, hold or name, or in a revision that is not
    /// current any more.
    async fn campaign(&mut self, world: &World) -> String {
        let rows = world.walk("/campaigns").await.0;
        let row = self.dice.pick(&rows).unwrap().clone();
        let id = row["id"].as_str().unwrap();
        let mut number = row["number"].as_i64().unwrap();
        let source = row["source"].as_str().unwrap();
        let changed = match self.dice.roll(4) {
            0 => line(source, "hold_days", &format!("{}", 7 + self.dice.roll(14))),
            1 => line(
                source,
                "within_days",
                &format!("{}", 20 + self.dice.roll(40)),
            ),
            2 => line(source, "name", &format!("\"Edition {}\"", self.number)),
            _ => {
                number -= 1;
                source.to_owned()
            }
        };
        let tag = format!("\"{number}\"");
        let body = json!({ "source": changed, "reason": "another try" });
        let path = format!("/campaigns/{id}");
        shown(
            &world
                .ask("PUT", &path, &[("if-match", &tag)], Some(body))
                .await,
        )
    }

    async fn suspension(&mut self, world: &World) -> String {
        let rows = world.walk("/promoters").await.0;
        let row = self.dice.pick(&rows).unwrap();
        let verb = if row["suspended"] == true {
            "unsuspend"
        } else {
            "suspend"
        };
        let path = format!("/promoters/{}/{verb}", row["id"].as_str().unwrap());
        shown(&world.post(&path, json!({})).await)
    }

    async fn promoter(&mut self, world: &World) -> String {
        let n = self.number;
        if self.dice.roll(2) == 0 {
            let body = json!({ "id": format!("prom_{n}"), "name": "Née Ōe", "email": format!("p{n}@example.com"), "coupons": [format!("C{n}")] });
            return shown(&world.post("/promoters", body).await);
        }
        let rows = world.walk("/promoters").await.0;
        let id = self.dice.pick(&rows).unwrap()["id"].as_str().unwrap();
        let body = json!({ "name": format!("Renamed {n}"), "code": format!("CODE{n}") });
        let path = format!("/promoters/{id}");
        shown(&world.ask("PATCH", &path, &[], Some(body)).await)
    }

    /// Looks at what a choice would do, and chooses it.
    async fn decide(&mut self, world: &World) -> String {
        let rows = world.walk("/cases").await.0;
        let Some(row) = self.dice.pick(&rows) else {
            return "no case".to_owned();
        };
        let path = format!("/cases/{}", row["id"].as_str().unwrap());
        let case = world.get(&path).await.json();
        let Some(choice) = self.dice.pick(case["choices"].as_array().unwrap()).cloned() else {
            return shown(&world.get(&path).await);
        };
        let preview = world
            .post(&format!("{path}/preview"), json!({ "choice": choice }))
            .await;
        let body = json!({ "choice": choice, "reason": "she wrote to us" });
        let resolved = world.post(&format!("{path}/resolve"), body).await;
        format!("{} {}", shown(&preview), shown(&resolved))
    }

    async fn undo(&mut self, world: &World) -> String {
        let rows = world.walk("/cases?state=resolved").await.0;
        let Some(row) = self.dice.pick(&rows) else {
            return "no case".to_owned();
        };
        let path = format!("/cases/{}/undo", row["id"].as_str().unwrap());
        shown(&world.post(&path, json!({ "reason": "a mistake" })).await)
    }

    async fn replay(&mut self, world: &World) -> String {
        let rows = world.get("/events?limit=100").await.json();
        let Some(row) = self.dice.pick(rows["data"].as_array().unwrap()) else {
            return "no event".to_owned();
        };
        let path = format!("/events/{}/replay", row["id"].as_str().unwrap());
        shown(&world.post(&path, json!({})).await)
    }

    /// Another body under an id that is taken, one that is no event, and one that nobody reads.
    async fn conflict(&mut self, world: &World) -> String {
        let rows = world.get("/events?limit=100").await.json();
        let row = self.dice.pick(rows["data"].as_array().unwrap());
        let id = row.map_or("evt_0", |row| row["id"].as_str().unwrap());
        let n = self.number;
        let unread = json!({
            "id": format!("evt_unread_{n}"), "object": "event", "type": "balance.available",
            "created": STARTS_UNIX, "livemode": true, "api_version": "2024-06-20",
            "data": { "object": { "object": "balance" } },
        });
        let mut other = unread.clone();
        other["id"] = json!(id);
        let bodies = [
            other.to_string(),
            format!("{{\"no event\": {n}"),
            unread.to_string(),
        ];
        world.deliver(&bodies).await;
        id.to_owned()
    }

    /// Registers somebody over the API, twice under one idempotency key.
    async fn refer(&mut self, world: &World) -> String {
        let promoters = world.walk("/promoters").await.0;
        let promoter = &self.dice.pick(&promoters).unwrap()["id"];
        let customer = world.get("/referrals?limit=100").await.json();
        let email = self.dice.pick(customer["data"].as_array().unwrap());
        let email = email.and_then(|row| row["email"].as_str());
        let email = email.unwrap_or("new@example.com").replace('@', "+2@");
        let body = json!({ "campaign": "launch-2026", "promoter": promoter, "email": email });
        let key = format!("key-{}", self.number);
        let headers = [("idempotency-key", key.as_str())];
        let first = world
            .ask("POST", "/referrals", &headers, Some(body.clone()))
            .await;
        let again = world.ask("POST", "/referrals", &headers, Some(body)).await;
        assert_eq!(first, again);
        shown(&first)
    }

    /// What is not there, not known or not possible.
    async fn refusals(&mut self, world: &World) -> String {
        let mut said = String::new();
        for path in [
            "/referrals/ref_none",
            "/batches/none",
            "/events?state=lost",
            "/cases?limit=0",
        ] {
            said.push_str(&shown(&world.get(path).await));
        }
        let taken = world.walk("/promoters").await.0[0].clone();
        let body = json!({ "id": taken["id"], "name": "Somebody else" });
        said.push_str(&shown(&world.post("/promoters", body).await));
        said
    }
}

fn shown(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.body)
}

/// A campaign file with another value of a key that it has.
fn line(source: &str, key: &str, value: &str) -> String {
    let lines = source.lines().map(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        if name == key {
            format!("{key} = {value}")
        } else {
            line.to_owned()
        }
    });
    let mut text = lines.collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}
