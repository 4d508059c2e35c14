// qualify: remembers which referral link led here, and registers who signs up.
(function (w, d) {
  'use strict';
  var tag = d.currentScript || d.querySelector('script[src*="/t.js"]');
  var data = tag.dataset, base = tag.src.replace(/\/t\.js.*$/, '');
  var prefix = 'qualify_ref_', page = {};

  // The code that is remembered for each campaign, on this page if nowhere else.
  function known() {
    var all = {}, k;
    try {
      d.cookie.split('; ').forEach(function (pair) {
        var at = pair.indexOf('=');
        if (pair.indexOf(prefix) === 0)
          all[pair.slice(prefix.length, at)] = decodeURIComponent(pair.slice(at + 1));
      });
    } catch (e) { /* blocked */ }
    for (k in page) all[k] = all[k] || page[k];
    return all;
  }

  // The first click stays, or the last one does.
  function keep(code, s) {
    if (s.touch === 'first' && known()[s.campaign]) return;
    page[s.campaign] = code;
    try {
      d.cookie = prefix + s.campaign + '=' + encodeURIComponent(code) +
        '; path=/; max-age=' + s.max_age + '; samesite=lax' +
        (data.domain ? '; domain=' + data.domain : '') +
        (w.location.protocol === 'https:' ? '; secure' : '');
    } catch (e) { /* blocked */ }
  }

  // Nothing is asked or stored unless the address has a code.
  function arrive() {
    var query = new URLSearchParams(w.location.search);
    var code = query.get('ref') || query.get('fp_ref');
    if (!code) return Promise.resolve();
    var campaign = query.get('ref_campaign') || data.campaign;
    return fetch(base + '/t/settings' +
      (campaign ? '?campaign=' + encodeURIComponent(campaign) : ''))
      .then(function (r) { return r.ok ? r.json() : null; })
      .then(function (s) { if (s) keep(code, s); })
      .catch(function () {});
  }

  // <input type="hidden" name="ref" data-qualify-ref>
  function fill() {
    var all = known();
    d.querySelectorAll('[data-qualify-ref]').forEach(function (field) {
      var of = field.getAttribute('data-qualify-ref') || Object.keys(all)[0];
      if (all[of]) field.value = all[of];
    });
  }

  function send(campaign, code, who) {
    return fetch(base + '/t/lead', {
      method: 'POST', keepalive: true,
      body: JSON.stringify({ campaign: campaign, code: code, email: who.email, uid: who.uid })
    }).then(function (r) { return r.ok; }, function () { return false; });
  }

  var ready = arrive().then(fill), early = (w.qualify && w.qualify.q) || [];
  w.qualify = function (what, who) {
    return ready.then(function () {
      var all = known();
      if (what !== 'lead') return all;
      return Promise.all(Object.keys(all).map(function (campaign) {
        return send(campaign, all[campaign], who || {});
      })).then(function (sent) { return sent.length > 0 && sent.indexOf(false) < 0; });
    });
  };
  early.forEach(function (call) { w.qualify.apply(null, call); });
  if (d.readyState === 'loading') d.addEventListener('DOMContentLoaded', fill);
})(window, document);
