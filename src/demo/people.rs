//! Who can look at a demo: one person of every role, each with a link that lets them in once.
//! The promoter is one of the story, so that there is something to see in the portal. And one
//! webhook endpoint, so that admins see one.

use super::run::Demo;
use super::story::BUSIEST;
use crate::access::AccessError;
use crate::access::users::Invitation;
use crate::domain::access::{By, Role};
use crate::domain::ids::PromoterId;
use crate::notify::webhooks::WebhookError;
use crate::notify::webhooks::endpoints::Wanted;
use crate::store::StoreError;
use crate::store::promoters::get_promoter;

/// Everybody but the promoter: role, name, address. No mail is sent anywhere.
const TEAM: [(Role, &str, &str); 4] = [
    (Role::Owner, "Olga Owner", "owner@demo.example"),
    (Role::Admin, "Adam Admin", "admin@demo.example"),
    (Role::Marketer, "Maria Marketer", "marketer@demo.example"),
    (Role::Viewer, "Victor Viewer", "viewer@demo.example"),
];

/// Makes one person of every role. What each of them opens, owner first.
pub async fn invite(demo: &Demo) -> Result<Vec<(Role, String)>, AccessError> {
    let app = &demo.running.app;
    let by = By::command_line();
    let mut links = Vec::new();
    for invitation in invitations(demo).await? {
        let (user, link) = app.access.add(&invitation, &by).await?;
        links.push((user.role, link));
    }
    Ok(links)
}

/// Makes a webhook endpoint to look at. It is off: a demo tells nobody anything.
pub async fn add_webhook(demo: &Demo) -> Result<(), WebhookError> {
    let wanted = Wanted {
        url: Some("https://shop.example.com/hooks/qualify".to_owned()),
        description: Some("An example, and off: nothing leaves the demo".to_owned()),
        topics: None,
        enabled: Some(false),
    };
    let webhooks = &demo.running.app.webhooks;
    webhooks.create(&wanted, &By::command_line()).await?;
    Ok(())
}

async fn invitations(demo: &Demo) -> Result<Vec<Invitation>, StoreError> {
    let app = &demo.running.app;
    let mut all: Vec<Invitation> = TEAM
        .iter()
        .map(|(role, name, email)| Invitation {
            email: (*email).to_owned(),
            name: (*name).to_owned(),
            role: *role,
            promoter: None,
        })
        .collect();
    let busiest = PromoterId::from(BUSIEST);
    let mut tx = app.db.read().await?;
    let promoter = get_promoter(&mut tx, &app.connection, &busiest).await?;
    tx.rollback().await?;
    all.extend(promoter.map(|stored| {
        Invitation {
            email: stored
                .promoter
                .email
                .map(|e| e.to_string())
                .unwrap_or_default(),
            name: stored.promoter.name,
            role: Role::Promoter,
            promoter: Some(busiest),
        }
    }));
    Ok(all)
}
