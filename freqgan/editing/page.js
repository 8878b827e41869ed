// What a browser does: strokes and clicks become requests, answers become pixels. All it knows it was told.
const root = element.querySelector('.editor');
const find = (selector) => root.querySelector(selector);
const all = (selector) => [...root.querySelectorAll(selector)];
const planes = { labels: find('[data-plane="labels"]'), picture: find('[data-plane="picture"]') };
const overs = all('.over');
const status = find('.status');
let state = null, about = null, tool = 'paint', label = 0, radius = 6, zoom = 1, stroke = null, hover = null;
let turn = Promise.resolve(), waiting = 0;

function say(text, failed = false) {
  status.textContent = text;
  status.classList.toggle('failed', failed);
}

// One request after the other: each says which canvas the page shows.
function ask(request) {
  waiting += 1;
  root.dataset.busy = 'true';
  turn = turn.then(() => answered(request)).catch(() => say('The server does not answer: is freqgan edit still running?', true))
    .finally(() => { waiting -= 1; root.dataset.busy = String(waiting > 0); });
  return turn;
}

async function answered(request) {
  const reply = await server.edit({ ...request, revision: state && state.revision });
  if (reply.error) return say(reply.error, true);
  if (reply.png) return reply.png;
  if (reply.about) introduce(reply.about);
  if (request.do === 'show' && !reply.whole) return;
  const before = state;
  const parts = await Promise.all(Object.keys(planes).map(async (name) => [name, reply[name], await picture(reply[name])]));
  state = reply;
  if (reply.whole) lay(before);
  for (const [name, part, image] of parts) if (part) planes[name].getContext('2d').drawImage(image, part.box[0], part.box[1]);
  find('[data-do="undo"]').disabled = !reply.undo;
  find('[data-do="redo"]').disabled = !reply.redo;
  find('[data-seed]').value = reply.seed;
  const made = reply.made[0] ? `, ${reply.made.join('×')} made again in ${reply.seconds.toFixed(2)} s` : '';
  say(`${reply.width}×${reply.height} pixels${made}`);
  root.dataset.revision = reply.revision;
}

async function picture(part) {
  if (!part) return null;
  const image = new Image();
  image.src = part.png;
  await image.decode();
  return image;
}

function introduce(told) {
  about = told;
  const list = find('.classes');
  list.replaceChildren(...told.classes.map((one, number) => {
    const button = document.createElement('button'), swatch = document.createElement('span');
    button.type = 'button';
    button.setAttribute('role', 'radio');
    button.dataset.label = number;
    button.dataset.color = one.color;
    swatch.className = 'swatch';
    swatch.style.background = one.color;
    button.append(swatch, one.name);
    button.title = one.thing ? `${one.name}: each stroke is an instance, unless it begins on one` : one.name;
    button.onclick = () => choose(number);
    return button;
  }));
  mark(Math.min(label, told.classes.length - 1));
  const begin = find('[data-new]');
  const options = [['', 'Begin with …'], ['blank', 'A blank canvas of the chosen class'], ['file', 'A label map (PNG) …']];
  for (let n = 0; n < told.examples; n += 1) options.push([String(n), `Example ${n + 1} of the run`]);
  begin.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  const looks = told.classes.some((one) => one.looks > 1);
  find('[data-tool="look"]').hidden = !looks;
  find('[data-seed-group]').hidden = !told.varied;
}

function mark(number) {
  label = number;
  all('[data-label]').forEach((one) => one.setAttribute('aria-checked', String(Number(one.dataset.label) === number)));
}

function choose(number) {
  mark(number);
  use('paint');
}

function use(name) {
  tool = name;
  root.dataset.tool = name;
  all('[data-tool]').forEach((one) => one.setAttribute('aria-pressed', String(one.dataset.tool === name)));
  ring();
}

// Sizes of everything; where the canvas has grown is what is in view.
function lay(before) {
  const { width, height } = state;
  const stacked = width > 1.4 * height;
  find('.planes').classList.toggle('stacked', stacked);
  const room = Math.max(240, window.innerHeight - 250) / (stacked ? 2 : 1);
  const beside = stacked ? Infinity : (find('.stage').clientWidth - 100) / 2; // both planes are seen whole; buttons and gaps take the 100
  zoom = Math.max(1, Math.min(8, Math.floor(2 * Math.min(room / height, beside / width)) / 2));
  for (const canvas of [...Object.values(planes), ...overs]) {
    const sharp = overs.includes(canvas) ? zoom : 1;
    canvas.width = width * sharp;
    canvas.height = height * sharp;
    canvas.style.width = `${width * zoom}px`;
    canvas.style.height = `${height * zoom}px`;
  }
  const scroll = find('.scroll');
  if (before && before.height === height && width > before.width) scroll.scrollLeft = state.origin < before.origin ? 0 : scroll.scrollWidth;
}

function place(event) {
  const box = event.target.getBoundingClientRect();
  return [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
}

// What is about to be done: the brush, a stroke that is not there yet, or where an instance goes.
function ring() {
  for (const canvas of overs) {
    const pen = canvas.getContext('2d');
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.lineCap = pen.lineJoin = 'round';
    if (stroke && tool === 'paint') {
      pen.strokeStyle = about.classes[label].color;
      pen.globalAlpha = 0.8;
      pen.lineWidth = Math.max(1, 2 * radius) * zoom;
      pen.beginPath();
      stroke.forEach(([x, y], n) => (n ? pen.lineTo(x * zoom, y * zoom) : pen.moveTo(x * zoom, y * zoom)));
      pen.lineTo(stroke.at(-1)[0] * zoom + 0.01, stroke.at(-1)[1] * zoom);
      pen.stroke();
      pen.globalAlpha = 1;
    }
    if (stroke && tool === 'move') line(pen, stroke[0], stroke.at(-1));
    if (hover && tool === 'paint') circle(pen, hover);
  }
}

function twice(pen, draw) {
  for (const [style, width] of [['#000a', 3], ['#fff', 1.5]]) {
    pen.strokeStyle = style;
    pen.lineWidth = width;
    pen.beginPath();
    draw();
    pen.stroke();
  }
}

const circle = (pen, [x, y]) => twice(pen, () => pen.arc(x * zoom, y * zoom, Math.max(radius, 0.5) * zoom, 0, 2 * Math.PI));
const line = (pen, [x0, y0], [x1, y1]) => twice(pen, () => {
  pen.moveTo(x0 * zoom, y0 * zoom);
  pen.lineTo(x1 * zoom, y1 * zoom);
  pen.arc(x1 * zoom, y1 * zoom, 4, 0, 2 * Math.PI);
});

for (const canvas of overs) {
  canvas.addEventListener('pointerdown', (event) => {
    if (!state || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    stroke = [place(event)];
    ring();
  });
  canvas.addEventListener('pointermove', (event) => {
    hover = place(event);
    if (stroke && stroke.length < 4000) stroke.push(hover);
    ring();
  });
  canvas.addEventListener('pointerleave', () => { hover = null; ring(); });
  canvas.addEventListener('pointercancel', () => { stroke = null; ring(); });
  canvas.addEventListener('pointerup', () => {
    if (!stroke) return;
    const points = stroke, start = points[0], end = points.at(-1);
    const by = [Math.round(end[0] - start[0]), Math.round(end[1] - start[1])];
    const requests = {
      paint: { do: 'paint', points, label, radius },
      move: { do: 'move', at: start, by },
      remove: { do: 'remove', at: end },
      look: { do: 'look', at: end },
    };
    const done = tool === 'move' && !by[0] && !by[1] ? Promise.resolve() : ask(requests[tool]);
    done.finally(() => { if (stroke === points) stroke = null; ring(); });
  });
}

function brush(size) {
  const input = find('[data-brush]');
  input.value = size;
  radius = Number(input.value) / 2;
  find('[data-brush-shown]').textContent = input.value;
  ring();
}

async function download(what) {
  const reply = await ask({ do: 'download', what });
  if (!reply) return;
  const link = document.createElement('a');
  link.href = reply;
  link.download = `${what}.png`;
  link.click();
}

function begin(choice) {
  if (choice === 'file') return find('[data-file]').click();
  if (choice === 'blank') return ask({ do: 'blank', label });
  if (choice) ask({ do: 'example', number: Number(choice) });
}

function upload(file) {
  const reader = new FileReader();
  reader.onload = () => ask({ do: 'upload', png: reader.result.split(',')[1] || '' });
  reader.onerror = () => say('The file cannot be read', true);
  reader.readAsDataURL(file);
}

all('[data-tool]').forEach((one) => { if (one !== root) one.onclick = () => use(one.dataset.tool); });
all('[data-do]').forEach((one) => { one.onclick = () => ask({ do: one.dataset.do }); });
all('[data-extend]').forEach((one) => { one.onclick = () => ask({ do: 'extend', side: one.dataset.extend }); });
all('[data-download]').forEach((one) => { one.onclick = () => download(one.dataset.download); });
find('[data-brush]').oninput = (event) => brush(event.target.value);
find('[data-seed]').onchange = (event) => ask({ do: 'seed', seed: Math.trunc(Number(event.target.value)) || 0 });
find('[data-dice]').onclick = () => ask({ do: 'seed', seed: Math.floor(Math.random() * 2 ** 31) });
find('[data-new]').onchange = (event) => { begin(event.target.value); event.target.value = ''; };
find('[data-file]').onchange = (event) => { if (event.target.files[0]) upload(event.target.files[0]); event.target.value = ''; };
window.addEventListener('resize', () => { if (state) { state.revision = null; ask({ do: 'show' }); } });
// What others have drawn who have the page open too.
setInterval(() => { if (state && !waiting && !stroke && !document.hidden) ask({ do: 'show' }); }, 2000);
document.addEventListener('keydown', (event) => {
  if (event.target.matches('input, select, textarea')) return;
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && key === 'z') {
    event.preventDefault();
    ask({ do: event.shiftKey ? 'redo' : 'undo' });
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey) {
    if (key === '[' || key === ']') brush(Number(find('[data-brush]').value) + (key === ']' ? 2 : -2));
    const chosen = ['paint', 'move', 'remove', 'look'][Number(key) - 1];
    if (chosen && !find(`[data-tool="${chosen}"]`).hidden) use(chosen);
  }
});
brush(12);
use('paint');
ask({ do: 'show' });
