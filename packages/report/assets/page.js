// SPDX-License-Identifier: MIT
// Puts the report together, top to bottom.
(() => {
  const { data, element, number, section, table, counters, chart, lanes } = globalThis.lockless;
  const report = document.getElementById('report');

  function heading() {
    const facts = data.facts.flatMap(([name, text]) => [element('dt', {}, name), element('dd', {}, text)]);
    return element(
      'header',
      {},
      element('p', { class: `verdict ${data.verdict}` }, data.verdictText),
      element('h1', {}, data.command),
      element(
        'dl',
        {},
        ...facts,
        element('dt', {}, 'Repeat'),
        element('dd', {}, element('code', { class: 'command' }, data.replay)),
      ),
    );
  }

  function violation({ kind, message, where, stacks }) {
    const idle = stacks.filter(({ frames }) => frames.length === 0);
    const cards = stacks
      .filter(({ frames, guilty }) => frames.length > 0 || guilty)
      .map(({ title, status, guilty, frames }) =>
        element(
          'div',
          { class: guilty ? 'stack guilty' : 'stack' },
          element('h3', {}, title),
          ...(status ? [element('p', {}, status)] : []),
          element('ol', {}, ...frames.map((frame) => element('li', {}, frame))),
        ),
      );
    return section(
      'violation',
      `Violated: ${kind}`,
      '',
      element('p', { class: 'message' }, message),
      element('p', { class: 'note' }, where),
      element('div', { class: 'stacks' }, ...cards),
      ...(idle.length > 0
        ? [element('p', { class: 'note' }, `No kernel code: ${idle.map(({ title }) => title).join(', ')}`)]
        : []),
    );
  }

  function agreement() {
    const cards = data.measures.map(({ title, agreement: share, level, note }) =>
      element(
        'li',
        { class: 'card' },
        element('b', { class: level }, share),
        element('span', {}, title),
        element('small', {}, note),
      ),
    );
    const causes = data.causes.map(({ cause, items }) =>
      element(
        'li',
        cause === 'unexplained' ? { class: 'poor' } : {},
        element('a', { href: '#differences' }, cause),
        ` ${number(items)}`,
      ),
    );
    return section(
      'agreement',
      `Against the real kernel, Linux ${data.kernel}`,
      'Agreement is the sum of the smaller numbers over the sum of the larger ones, item by item.',
      element('ul', { class: 'cards' }, ...cards),
      ...(causes.length > 0
        ? [
            element('p', { class: 'note' }, 'Items that differ, by cause:'),
            element('ul', { class: 'causes' }, ...causes),
          ]
        : []),
    );
  }

  function timelines() {
    const charts = data.charts.map((each) => chart(each, data.operations));
    if (data.lanes.cpus.some(({ task }) => task.length > 0)) charts.push(lanes(data.lanes));
    if (charts.length === 0) return null;
    const grid = element('div', { class: 'charts' }, ...charts.map(({ node }) => node));
    const note = 'Drag to zoom, double-click to go back; the charts over operations move together.';
    const draw = () => {
      for (const each of charts) each.draw();
    };
    return { node: section('timelines', 'Timelines', note, grid), draw };
  }

  const charts = timelines();
  const parts = [
    ...(data.violation ? [violation(data.violation)] : []),
    ...(data.measures.length > 0 ? [agreement()] : []),
    ...(charts ? [charts.node] : []),
    ...data.tables.map((each) => section(each.id, each.title, each.note, table(each))),
    section('counters', 'Counters', '', element('div', { class: 'groups' }, ...data.counters.map(counters))),
  ];
  const links = parts.map((part) =>
    element('li', {}, element('a', { href: `#${part.id}` }, part.querySelector('h2').textContent.split(/[,:]/)[0])),
  );
  report.append(heading(), element('nav', { 'aria-label': 'Sections' }, element('ul', {}, ...links)), ...parts);
  charts?.draw();
  document.body.dataset.ready = 'true';
})();
