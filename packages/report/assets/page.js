// SPDX-License-Identifier: MIT
// Draws the report in the browser. `uPlot` is the plotting library, inlined before this script; #data holds a RunResult.
(() => {
  const result = JSON.parse(document.getElementById('data').textContent);
  const report = document.getElementById('report');
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = new Intl.NumberFormat('en-US');
  const percent = (share) => `${(share * 100).toFixed(1)} %`;

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }
  const section = (title, note, ...children) =>
    report.append(element('h2', {}, title), ...(note ? [element('p', {}, note)] : []), ...children);

  function table(head, rows) {
    const body = rows.map((row) =>
      element(
        'tr',
        {},
        ...row.map((cell) => {
          const differs = Array.isArray(cell) && cell[0] !== cell[1];
          const text = Array.isArray(cell) ? `${cell[0] ?? '–'} / ${cell[1] ?? '–'}` : String(cell);
          return element('td', differs ? { class: 'differs' } : {}, text);
        }),
      ),
    );
    const heading = element('thead', {}, element('tr', {}, ...head.map((name) => element('th', {}, name))));
    return element('div', { class: 'scroll' }, element('table', {}, heading, element('tbody', {}, ...body)));
  }

  const PALETTE = ['#2563c9', '#d9822b', '#1a936f', '#a4508b', '#7a6f9b', '#b23a48', '#4f772d', '#0f8b8d'];

  function axes(xLabel, yLabel) {
    const common = {
      stroke: css('--soft'),
      grid: { stroke: css('--line'), width: 1 },
      ticks: { stroke: css('--line') },
    };
    return [
      { ...common, label: xLabel },
      { ...common, label: yLabel, size: 70, values: (_plot, ticks) => ticks.map((tick) => number.format(tick)) },
    ];
  }

  /** A chart of lines over replayed operations. */
  function lines(title, yLabel, x, series) {
    const holder = element('div', { class: 'chart' });
    const width = () => Math.min(1120, report.clientWidth - 40);
    const options = {
      title,
      width: width(),
      height: 260,
      scales: { x: { time: false } },
      axes: axes('recorded operations replayed', yLabel),
      series: [
        { label: 'operations', value: (_plot, value) => (value === null ? '–' : number.format(value)) },
        ...series.map(({ label, color, dash }) => ({
          label,
          stroke: color,
          width: 1.6,
          dash,
          points: { show: false },
          value: (_plot, value) => (value === null ? '–' : number.format(value)),
        })),
      ],
    };
    const plot = new uPlot(options, [x, ...series.map(({ values }) => values)], holder);
    addEventListener('resize', () => plot.setSize({ width: width(), height: 260 }));
    return holder;
  }

  /** What ran on each CPU: one lane a CPU, one colour a task. */
  function lanes(cpus) {
    const holder = element('div', { class: 'chart' });
    const tasks = [...new Set(cpus.flatMap(({ slices }) => slices.map(({ task }) => task)))];
    const colorOf = new Map(tasks.map((task, i) => [task, PALETTE[i % PALETTE.length]]));
    const ends = cpus.flatMap(({ slices }) => slices.map(({ to }) => to));
    const last = Math.max(1, ...ends) / 1e6;
    const draw = (plot) => {
      const { ctx } = plot;
      ctx.save();
      for (const { cpu, slices } of cpus) {
        const top = plot.valToPos(cpu + 0.36, 'y', true);
        const bottom = plot.valToPos(cpu - 0.36, 'y', true);
        for (const { from, to, task } of slices) {
          const left = plot.valToPos(from / 1e6, 'x', true);
          const right = plot.valToPos(to / 1e6, 'x', true);
          if (right < plot.bbox.left || left > plot.bbox.left + plot.bbox.width) continue;
          ctx.fillStyle = colorOf.get(task);
          ctx.fillRect(left, top, Math.max(1, right - left), bottom - top);
        }
      }
      ctx.restore();
    };
    const height = 90 + 26 * cpus.length;
    const [xAxis, yAxis] = axes('virtual time, ms', 'CPU');
    new uPlot(
      {
        title: 'What ran where',
        width: Math.min(1120, report.clientWidth - 40),
        height,
        legend: { show: false },
        scales: { x: { time: false, range: [0, last] }, y: { range: [-0.6, cpus.length - 0.4] } },
        axes: [
          xAxis,
          { ...yAxis, splits: () => cpus.map(({ cpu }) => cpu), values: (_plot, ticks) => ticks.map(String) },
        ],
        series: [{}, { show: true, stroke: 'transparent', points: { show: false } }],
        hooks: { draw: [draw] },
      },
      [
        [0, last],
        [0, 0],
      ],
      holder,
    );
    const legend = tasks.slice(0, 24).map((task) => {
      const swatch = element('span', {
        style: `display:inline-block;width:10px;height:10px;margin:0 5px 0 12px;background:${colorOf.get(task)}`,
      });
      return element('span', {}, swatch, task);
    });
    holder.append(element('p', {}, ...legend));
    return holder;
  }

  function heading() {
    const { configuration: c, recording } = result;
    report.append(
      element('h1', {}, recording.command.join(' ')),
      element(
        'p',
        {},
        element('span', { class: `verdict ${result.verdict}` }, result.verdict),
        ` · ${number.format(result.operations)} of ${number.format(result.operationsTotal)} operations of ${recording.threads} threads in ${recording.processes} processes · ${c.cpus} CPUs, ${number.format(c.memoryPages * 4)} KiB, model ${c.model}, ${c.generation}, seed ${c.seed}${c.plant ? `, planted bug ${c.plant}` : ''}`,
      ),
      element('p', {}, 'repeat: ', element('code', {}, result.replay)),
    );
    if (result.violation === null) return;
    const v = result.violation;
    const stacks = v.stacks.map(
      (s) => `CPU ${s.cpu}  ${s.task}\n${s.frames.map((frame) => `    ${frame}`).join('\n')}`,
    );
    section(`Violated: ${v.kind}`, v.message, element('pre', {}, stacks.join('\n')));
  }

  function agreement() {
    const cards = result.comparison.measures.map((m) =>
      element(
        'div',
        { class: 'card' },
        element('b', {}, percent(m.agreement)),
        m.title,
        element('br'),
        element('span', {}, `${number.format(m.simulated)} simulated, ${number.format(m.real)} real, ${m.items} items`),
      ),
    );
    section(
      `Against the real kernel, Linux ${result.recording.kernel}`,
      'Agreement is the sum of the smaller numbers over the sum of the larger, item by item.',
      element('div', { class: 'cards' }, ...cards),
    );
  }

  function timelines() {
    const t = result.timeline;
    const line = (label, values, i) => ({ label, values, color: PALETTE[i % PALETTE.length] });
    section('Timelines', 'Drag to zoom, double-click to go back.');
    report.append(
      lines('Memory', 'pages', t.operations, [
        line('page cache', t.fileCache, 0),
        line('anonymous', t.anonymous, 1),
        line('dirty', t.dirty, 2),
        line('under writeback', t.writeback, 5),
      ]),
      lines('Free memory', 'pages', t.operations, [line('free', t.free, 2)]),
      lines('Page faults and grace periods', 'so far', t.operations, [
        line('page faults', t.faults, 0),
        line('RCU grace periods', t.gracePeriods, 3),
      ]),
    );
    for (const space of t.spaces.filter((s) => s.simulated.some((v) => v !== null)).slice(0, 12)) {
      report.append(
        lines(`Resident pages: ${space.label}`, 'pages', t.operations, [
          { label: 'simulated', values: space.simulated, color: css('--simulated') },
          { label: 'real', values: space.real, color: css('--real'), dash: [6, 4] },
        ]),
      );
    }
    if (t.cpus.length > 0) report.append(lanes(t.cpus));
  }

  function processes() {
    const kinds = ['anonymous', 'file', 'cow', 'mkwrite'];
    const rows = result.processes.map((p) => [
      `${p.comm} ${p.pid}${p.born === 'fork' ? ' (fork)' : ''}`,
      ...kinds.map((kind) => [p.faults.simulated[kind], p.faults.real[kind]]),
      p.majorFaults,
      [p.rssAtExit.simulated?.file ?? null, p.rssAtExit.real?.file ?? null],
      [p.rssAtExit.simulated?.anon ?? null, p.rssAtExit.real?.anon ?? null],
      p.exit ?? '–',
    ]);
    section(
      'Processes',
      'Page faults by kind and resident pages at exit: simulated / real.',
      table(['address space', ...kinds, 'major', 'rss file', 'rss anon', 'exit'], rows),
    );
  }

  function files() {
    const rows = result.files
      .filter((f) => f.hits + f.misses + f.added.simulated + f.added.real > 0)
      .sort((a, b) => b.hits + b.misses - a.hits - a.misses)
      .map((f) => [
        f.path || `${f.kind}, inode ${f.inode}`,
        f.cachedBefore,
        [f.added.simulated, f.added.real],
        f.hits,
        f.misses,
        f.cachedAtEnd,
      ]);
    section(
      'Files',
      'Pages in the page cache; added: simulated / real.',
      table(['file', 'before', 'added', 'hits', 'misses', 'at end'], rows),
    );
  }

  function counters() {
    const { lookups, reclaim, rcu, contents, zone, events } = result.memory;
    const group = (name, values) =>
      Object.entries(values).map(([key, value]) => [
        `${name} ${key}`,
        typeof value === 'number' ? number.format(value) : value,
      ]);
    const scalars = Object.fromEntries(Object.entries(result.machine).filter(([, value]) => typeof value === 'number'));
    const rows = [
      ...group('lookups', lookups),
      ...group('reclaim', reclaim),
      ...group('rcu', rcu),
      ...group('contents', contents),
      ...group('zone', zone),
      ...group('event', events),
      ...group('machine', scalars),
      ...group('injected', result.machine.injected),
      ...group('new error', result.machine.newErrors),
    ];
    section('Counters', '', table(['counter', 'value'], rows));
    section(
      'Invariants',
      '',
      table(
        ['invariant', 'checked', 'violations'],
        result.invariants.map((i) => [i.name, number.format(i.checked), i.violations]),
      ),
    );
    const differences = result.comparison.differences.map((d) => [
      `${d.measure}: ${d.item}`,
      [d.simulated, d.real],
      d.cause,
    ]);
    if (differences.length > 0)
      section(
        'Differences',
        'Simulated / real, with the documented cause.',
        table(['item', 'pages or events', 'cause'], differences),
      );
  }

  heading();
  agreement();
  timelines();
  processes();
  files();
  counters();
  document.body.dataset.ready = 'true';
})();
