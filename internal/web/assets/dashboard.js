'use strict';
// Everything that comes from the worker is written with textContent: a name in
// the CRM is text, whatever it holds.

const $ = (id) => document.getElementById(id);
const lists = ['holds', 'conflicts', 'errors', 'journal', 'runs'];
const shown = {}; // the JSON each part was last drawn from
let lastGood = null;
let several = false; // connections: only then is their name of use in a list

function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
  e.append(...children.filter((c) => c !== null && c !== undefined).map((c) => (c instanceof Node ? c : String(c))));
  return e;
}

function short(value) {
  if (value === null || value === undefined) return '–';
  const s = typeof value === 'string' ? value : JSON.stringify(value);
  return s.length > 200 ? s.slice(0, 200) + ' …' : s;
}

function ago(iso) {
  if (!iso) return '–';
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return short(iso);
  const s = Math.round((Date.now() - at) / 1000);
  const d = Math.abs(s);
  if (d >= 86400) return new Date(at).toISOString().slice(0, 10);
  const text = d < 60 ? d + ' s' : d < 3600 ? Math.floor(d / 60) + ' min' : Math.floor(d / 3600) + ' h';
  return s < 0 ? 'in ' + text : text + ' ago';
}

// causeText writes {"event":"ev_1"} as "event ev_1".
function causeText(cause) {
  if (!cause || typeof cause !== 'object' || Array.isArray(cause)) return short(cause);
  return short(Object.entries(cause).map(([k, v]) => k + ' ' + short(v)).join(', '));
}

// idText leaves out the middle of a long id; the whole is in the title.
function idText(id) {
  const s = short(id);
  return s.length > 22 ? el('span', { title: s }, s.slice(0, 12) + '…' + s.slice(-6)) : s;
}

function when(iso) {
  return iso ? el('time', { datetime: iso, title: iso }, ago(iso)) : '–';
}

const number = (n) => (typeof n === 'number' ? n.toLocaleString('en') : '–');
const seconds = (n) => (typeof n === 'number' ? n.toLocaleString('en', { maximumFractionDigits: 1 }) + ' s' : '–');

// table draws rows by columns {label, value(row), kind(row)}; empty text stands in for no rows.
function table(caption, columns, rows, empty) {
  if (!rows.length) return el('p', { class: 'empty' }, empty);
  const head = el('tr', {}, ...columns.map((c) => el('th', { scope: 'col', class: c.number ? 'number' : '' }, c.label)));
  const body = rows.map((row) => el('tr', {}, ...columns.map((c, i) => {
    const classes = [c.number ? 'number' : '', c.kind ? (typeof c.kind === 'function' ? c.kind(row) : c.kind) : ''].join(' ').trim();
    const attributes = { 'data-label': c.label, class: classes };
    if (i === 0) attributes.scope = 'row';
    return el(i === 0 ? 'th' : 'td', attributes, c.value(row));
  })));
  return el('div', { class: 'scroll' }, el('table', {}, el('caption', {}, caption), el('thead', {}, head), el('tbody', {}, ...body)));
}

function fact(name, value, kind) {
  return el('div', {}, el('dt', {}, name), el('dd', kind ? { class: kind } : {}, value));
}

const objectColumns = [
  { label: 'Object', value: (o) => o.name },
  ...[['local_rows', 'Rows'], ['linked', 'Linked'], ['pending', 'Pending'], ['conflicts', 'Conflicts'], ['errors', 'Errors'], ['held', 'Held'], ['hidden', 'Hidden']]
    .map(([key, label]) => ({
      label, number: true, value: (o) => number(o[key]),
      kind: (o) => (o[key] > 0 && ['conflicts', 'held'].includes(key) ? 'warn' : o[key] > 0 && key === 'errors' ? 'bad' : ''),
    })),
  { label: 'Searched up to', kind: 'time', value: (o) => when(o.search_watermark) },
  { label: 'Compared in full', kind: 'time', value: (o) => when(o.last_full_compare_at) },
];

const rateColumns = [
  { label: 'Endpoint group', value: (r) => short(r.group) },
  { label: 'Left', value: (r) => el('span', {}, el('meter', { min: 0, max: r.limit || 1, value: r.remaining || 0, low: (r.limit || 1) * 0.2, 'aria-label': 'requests left of the limit' }), ' ' + number(r.remaining) + ' of ' + number(r.limit)) },
  { label: 'Resets in', number: true, value: (r) => seconds(r.resets_in) },
];

const webhookText = {
  active: ['active', 'good'], paused: ['paused by Close', 'bad'],
  absent: ['none: the event log is followed', ''], unmanaged: ['made by hand', ''],
};

function connection(c) {
  const api = c.api || {}, hook = c.webhook || {}, lag = c.lag_seconds || {}, run = c.last_run;
  const [hookText, hookKind] = webhookText[hook.state] || [short(hook.state), ''];
  const order = (name) => ['lead', 'contact', 'opportunity', name].indexOf(name);
  const objects = Object.entries(c.objects || {}).map(([name, o]) => ({ name, ...o })).sort((a, b) => order(a.name) - order(b.name));
  return el('article', { class: 'connection' },
    el('h2', {}, short(c.name), el('small', {}, c.organization_id || 'organization not known yet'),
      el('span', { class: 'pill ' + (api.ok ? 'good' : 'bad') }, api.ok ? 'Close answers' : 'Close: ' + short(api.error || 'no answer'))),
    el('dl', {},
      fact('Webhook', hookText, hookKind), fact('Last delivery', when(hook.last_delivery_at)),
      fact('Inbox', number(c.inbox_pending)), fact('Outbox', number(c.outbox_pending)),
      fact('Event log read up to', when(c.events_watermark)),
      fact('From Close, p50 / p99', seconds(lag.from_close_p50) + ' / ' + seconds(lag.from_close_p99)),
      fact('To Close, p50 / p99', seconds(lag.to_close_p50) + ' / ' + seconds(lag.to_close_p99)),
      fact('Last run', run ? el('span', {}, short(run.kind) + ', ' + short(run.state) + ', ', when(run.at)) : 'none yet')),
    el('h3', {}, 'Objects'),
    table('Objects of ' + short(c.name), objectColumns, objects, 'No object is switched on in the mapping.'),
    el('h3', {}, 'Limits of Close'),
    table('Limits of Close for ' + short(c.name), rateColumns, c.rate || [], 'Not known before the first request.'));
}

const record = [
  { label: 'Connection', value: (r) => short(r.connection) },
  { label: 'Object', value: (r) => short(r.object_type) },
  { label: 'Close id', kind: 'id', value: (r) => idText(r.close_id) },
];

const views = {
  holds: { empty: 'Nothing is held. Mass deletes and mass creates would stop here and ask.', columns: [
    { label: 'Id', value: (r) => short(r.id) }, { label: 'Connection', value: (r) => short(r.connection) },
    { label: 'Kind', value: (r) => short(r.kind) }, { label: 'Object', value: (r) => short(r.object_type) },
    { label: 'Records', number: true, value: (r) => number(r.count) }, { label: 'Status', kind: 'warn', value: (r) => short(r.status) },
    { label: 'Why', kind: 'value', value: (r) => short(r.reason) }, { label: 'Since', kind: 'time', value: (r) => when(r.created_at) },
  ] },
  conflicts: { empty: 'No open conflict. Conflicts that a rule decided are in the view closesync.conflicts.', columns: [
    { label: 'Id', value: (r) => short(r.id) }, ...record, { label: 'Field', value: (r) => short(r.field) },
    { label: 'Before', kind: 'value', value: (r) => short(r.base_value) }, { label: 'Here', kind: 'value', value: (r) => short(r.local_value) },
    { label: 'In Close', kind: 'value', value: (r) => short(r.close_value) }, { label: 'Since', kind: 'time', value: (r) => when(r.detected_at) },
  ] },
  errors: { empty: 'No record is parked.', columns: [
    { label: 'Id', value: (r) => short(r.id) }, ...record, { label: 'Row', value: (r) => short(r.local_key) }, { label: 'Error', kind: 'value', value: (r) => short(r.last_error) },
    { label: 'Class', value: (r) => short(r.error_class) }, { label: 'Attempts', number: true, value: (r) => number(r.attempts) },
    { label: 'Next', kind: 'time', value: (r) => when(r.next_attempt_at) },
  ] },
  journal: { empty: 'No change yet. The first load is one line of Runs, not a line for each record.', columns: [
    { label: 'When', kind: 'time', value: (r) => when(r.at) }, ...record,
    { label: 'Direction', value: (r) => ({ from_close: 'Close → here', to_close: 'here → Close' }[r.direction] || short(r.direction)) },
    { label: 'Action', value: (r) => short(r.action) }, { label: 'Field', value: (r) => short(r.field) },
    { label: 'Old', kind: 'value', value: (r) => short(r.old_value) }, { label: 'New', kind: 'value', value: (r) => short(r.new_value) },
    { label: 'Because', kind: 'value', value: (r) => r.because ? short(r.because) : causeText(r.cause) },
  ] },
  runs: { empty: 'No run yet.', columns: [
    { label: 'Started', kind: 'time', value: (r) => when(r.started_at) }, { label: 'Connection', value: (r) => short(r.connection) },
    { label: 'Kind', value: (r) => short(r.kind) }, { label: 'Object', value: (r) => short(r.object_type) },
    { label: 'State', kind: (r) => (r.state === 'failed' ? 'bad' : ''), value: (r) => short(r.state) },
    { label: 'Seen', number: true, value: (r) => number(r.seen) }, { label: 'Changed', number: true, value: (r) => number(r.changed) },
    { label: 'Requests', number: true, value: (r) => number(r.requests) }, { label: 'Error', kind: 'value', value: (r) => short(r.error) },
  ] },
};

// changed keeps a part as it is while its data is the same, so that a reader's
// selection and place survive; times are redrawn once in half a minute.
function changed(name, data) {
  const key = JSON.stringify(data) + Math.floor(Date.now() / 30000);
  if (shown[name] === key) return false;
  shown[name] = key;
  return true;
}

function drawList(name, rows) {
  if (!Array.isArray(rows)) rows = [];
  const count = $('n-' + name);
  if (count) {
    count.textContent = rows.length ? String(rows.length) : '';
    count.className = rows.length ? 'count warn' : 'count';
    $('hint-' + name).hidden = !rows.length;
  }
  if (!changed(name, [rows, several])) return;
  const columns = views[name].columns.filter((c) => several || c.label !== 'Connection');
  $(name).replaceChildren(table(name, columns, rows, views[name].empty));
}

function drawStatus(s) {
  const connections = s.connections || [];
  several = connections.length > 1;
  const down = connections.filter((c) => !(c.api || {}).ok).length;
  const waiting = connections.some((c) => Object.values(c.objects || {}).some((o) => o.conflicts > 0 || o.errors > 0 || o.held > 0));
  const [text, kind] = !connections.length ? ['no connection', 'warn'] : down ? ['Close cannot be reached', 'bad']
    : !s.idle ? ['working', 'warn'] : waiting ? ['at rest, some records wait for you', 'warn'] : ['both sides are equal', 'good'];
  if ($('state').textContent !== text) $('state').textContent = text;
  $('state').className = 'pill ' + kind;
  document.title = (kind === 'bad' ? '! ' : '') + 'closesync – ' + text;
  if (!changed('connections', connections)) return;
  $('connections').replaceChildren(...(connections.length ? connections.map(connection)
    : [el('p', { class: 'empty' }, 'No connection yet. Set CLOSE_API_KEY, or try closesync run --sandbox.')]));
}

async function get(path) {
  // The origin alone: a page whose address holds a user and the token may not fetch relative addresses.
  const answer = await fetch(location.origin + '/api/' + path, { credentials: 'same-origin', cache: 'no-store' });
  if (answer.status === 401) throw new Error('The admin token is no longer accepted: load the page again.');
  if (!answer.ok) throw new Error('The worker answers ' + answer.status + ' for ' + path + '.');
  return answer.json();
}

function trouble(message) {
  const text = message + (lastGood ? ' Shown is the state of ' + lastGood.toLocaleTimeString() + '.' : '');
  if ($('banner').textContent !== text) $('banner').textContent = text;
  $('banner').hidden = !message;
  document.body.classList.toggle('stale', Boolean(message));
}

async function refresh() {
  const [status, ...results] = await Promise.allSettled([get('status'), ...lists.map((name) => get(name + '?limit=50'))]);
  if (status.status === 'fulfilled') drawStatus(status.value);
  results.forEach((r, i) => { if (r.status === 'fulfilled') drawList(lists[i], r.value); });
  const failed = [status, ...results].find((r) => r.status === 'rejected');
  if (failed) {
    trouble(failed.reason instanceof TypeError ? 'The worker does not answer.' : failed.reason.message);
    return;
  }
  lastGood = new Date();
  trouble('');
  $('updated').textContent = 'as of ' + lastGood.toLocaleTimeString();
}

// Nor do the pages behind links work when opened so.
for (const a of document.querySelectorAll('a[href^="/"]')) a.href = location.origin + a.getAttribute('href');

async function loop() {
  if (!document.hidden) await refresh().catch((e) => trouble(String(e.message || e)));
  setTimeout(loop, 2000);
}
loop();
