//! Which page answers at which row of the table of routes, and what stands around all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::pages::admin::{
    audit, batch, batch_run, batches, case, cases, doctor, event, events, keys, near_miss,
    near_misses, user, users, webhook, webhooks,
};
use super::pages::docs;
use super::pages::marketing::{
    campaign, campaign_link, campaigns, dashboard, editor, promoter, promoter_form,
    promoter_invite, promoters, reassign, referral, referral_form, referrals, reports,
};
use super::pages::portal;
use super::pages::sign_in::{self, account, link};
use super::{Web, answer, assets, problems};
use crate::access::routes::{self as table, On};
use crate::access::{Denied, guard};
use crate::backtests::Backtests;
use crate::shared::App;

/// What the pages work with.
pub fn web(app: &Arc<App>, body_read: Duration, backtests: &Arc<Backtests>) -> Arc<Web> {
    Arc::new(Web {
        app: Arc::clone(app),
        body_read,
        backtests: Arc::clone(backtests),
    })
}

/// Every page, inside its guard.
pub fn routes(web: &Arc<Web>) -> Router {
    let access = Arc::clone(&web.app.access);
    Router::new()
        .merge(sign_in_routes())
        .merge(marketing())
        .merge(desk())
        .merge(portal())
        .merge(office())
        .on(table::ASSET, assets::serve)
        .on(table::API_DOCS, docs::show)
        .on(table::API_DOCS_OF, docs::show_resource)
        .route_layer(from_fn_with_state(Arc::clone(web), problems::as_page))
        .route_layer(from_fn_with_state(access, guard::guard))
        .route_layer(from_fn_with_state(Arc::clone(web), to_sign_in))
        .with_state(Arc::clone(web))
}

/// Makes pages of the problems that no page's own layer has seen: unknown addresses, panics,
/// answers that took too long.
pub fn around(web: &Arc<Web>, all: Router) -> Router {
    all.layer(from_fn_with_state(Arc::clone(web), problems::as_page))
}

/// Whoever is not signed in signs in first, and comes back to the page they wanted.
async fn to_sign_in(State(_): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let wanted = (request.method() == axum::http::Method::GET).then(|| {
        let place = request.uri().path_and_query();
        place.map_or_else(String::new, |place| place.as_str().to_owned())
    });
    let response = next.run(request).await;
    if response.extensions().get::<Denied>() != Some(&Denied::SignIn) {
        return response;
    }
    let place = sign_in::sign_in_for(&wanted.unwrap_or_default());
    answer::on_to(&place, None).unwrap_or_else(IntoResponse::into_response)
}

fn sign_in_routes() -> Router<Arc<Web>> {
    Router::new()
        .on(table::SIGN_IN, sign_in::show)
        .on(table::SIGN_IN_POST, sign_in::sign_in)
        .on(table::FORGOTTEN, sign_in::forgotten)
        .on(table::FORGOTTEN_POST, sign_in::send_reset)
        .on(table::LINK, link::show)
        .on(table::LINK_POST, link::press)
        .on(table::SIGN_OUT, sign_in::sign_out)
        .on(table::ACCOUNT, account::show)
        .on(table::ACCOUNT_PASSWORD, account::password)
        .on(table::ACCOUNT_END, account::end)
}

fn marketing() -> Router<Arc<Web>> {
    Router::new()
        .on(table::DASHBOARD, dashboard::show)
        .on(table::CAMPAIGNS, campaigns::list)
        .on(table::CAMPAIGN, campaign::show)
        .on(table::CAMPAIGN_EDIT, editor::edit)
        .on(table::CAMPAIGN_EDIT_POST, editor::change)
        .on(table::CAMPAIGN_NEW, editor::new)
        .on(table::CAMPAIGN_NEW_POST, editor::add)
        .on(table::BACKTEST, editor::tried)
        .on(table::BACKTEST_STOP, editor::stop)
        .on(table::REFERRALS, referrals::list)
        .on(table::REFERRALS_CSV, referrals::download)
        .on(table::REFERRAL, referral::show)
        .on(table::REFERRAL_NEW, referral_form::new)
        .on(table::REFERRAL_NEW_POST, referral_form::add)
        .on(table::PROMOTERS, promoters::list)
        .on(table::PROMOTERS_CSV, promoters::download)
        .on(table::PROMOTER, promoter::show)
        .on(table::PROMOTER_EDIT, promoter_form::edit)
        .on(table::PROMOTER_EDIT_POST, promoter_form::save)
        .on(table::PROMOTER_SUSPEND, promoter::ask)
        .on(table::PROMOTER_INVITE, promoter_invite::ask)
        .on(table::PROMOTER_INVITE_POST, promoter_invite::invite)
        .on(table::PROMOTER_SUSPEND_POST, promoter::decide)
        .on(table::PROMOTER_NEW, promoter_form::new)
        .on(table::PROMOTER_NEW_POST, promoter_form::add)
        .on(table::REPORTS, reports::show)
        .on(table::REPORTS_CSV, reports::download)
        .on(table::CAMPAIGN_LINK, campaign_link::show)
        .on(table::CAMPAIGN_LINK_POST, campaign_link::save)
}

fn portal() -> Router<Arc<Web>> {
    Router::new()
        .on(table::PORTAL, portal::referrals::show)
        .on(table::PORTAL_REWARDS, portal::rewards::show)
        .on(table::PORTAL_STATEMENT, portal::statement::download)
}

/// Cases, events and near misses.
fn desk() -> Router<Arc<Web>> {
    Router::new()
        .on(table::ADMIN_CASES, cases::list)
        .on(table::ADMIN_CASE, case::show)
        .on(table::ADMIN_CASE_RESOLVE, case::resolve)
        .on(table::ADMIN_CASE_UNDO, case::undo)
        .on(table::ADMIN_EVENTS, events::list)
        .on(table::ADMIN_EVENTS_REPLAY, events::replay_all)
        .on(table::ADMIN_EVENT, event::show)
        .on(table::ADMIN_EVENT_REPLAY, event::read_again)
        .on(table::ADMIN_NEAR_MISSES, near_misses::list)
        .on(table::ADMIN_NEAR_MISSES_UNDO, near_misses::undo)
        .on(table::ADMIN_NEAR_MISS, near_miss::show)
        .on(table::ADMIN_NEAR_MISS_ANSWER, near_miss::answer)
}

fn office() -> Router<Arc<Web>> {
    Router::new()
        .on(table::REFERRAL_REASSIGN, reassign::show)
        .on(table::REFERRAL_REASSIGN_POST, reassign::give)
        .on(table::BATCHES, batches::list)
        .on(table::BATCH_PREVIEW, batch_run::preview)
        .on(table::BATCH_RUN, batch_run::ask)
        .on(table::BATCH_RUN_POST, batch_run::run)
        .on(table::BATCH, batch::show)
        .on(table::USERS, users::list)
        .on(table::USER_INVITE, users::new)
        .on(table::USER_INVITE_POST, users::invite)
        .on(table::USER, user::show)
        .on(table::USER_ROLE, user::role)
        .on(table::USER_STATE, user::ask)
        .on(table::USER_STATE_POST, user::decide)
        .on(table::USER_LINK, user::link)
        .on(table::USER_SESSIONS, user::end)
        .on(table::KEYS, keys::list)
        .on(table::KEY_NEW, keys::new)
        .on(table::KEY_NEW_POST, keys::add)
        .on(table::KEY_REVOKE, keys::ask)
        .on(table::KEY_REVOKE_POST, keys::revoke)
        .on(table::AUDIT, audit::list)
        .on(table::DOCTOR, doctor::show)
        .on(table::WEBHOOKS, webhooks::list)
        .on(table::WEBHOOK_NEW, webhooks::new)
        .on(table::WEBHOOK_NEW_POST, webhooks::add)
        .on(table::WEBHOOK_PAGE, webhook::show)
        .on(table::WEBHOOK_EDIT, webhooks::edit)
        .on(table::WEBHOOK_EDIT_POST, webhooks::save)
        .on(table::WEBHOOK_STATE, webhook::set_state)
        .on(table::WEBHOOK_TEST, webhook::test)
        .on(table::WEBHOOK_ROTATE, webhook::ask_rotate)
        .on(table::WEBHOOK_ROTATE_POST, webhook::rotate)
        .on(table::WEBHOOK_REDELIVER, webhook::redeliver)
        .on(table::WEBHOOK_DELETE, webhook::ask_delete)
        .on(table::WEBHOOK_DELETE_POST, webhook::delete)
}
