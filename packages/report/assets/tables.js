// SPDX-License-Identifier: MIT
// Tables that sort by a click on a heading (or Enter on it), long ones folded.
Object.assign(
  globalThis.lockless,
  (() => {
    const { element, number } = globalThis.lockless;
    const FOLDED = 25;

    const plain = (cell) => (Array.isArray(cell) ? (cell[0] ?? cell[1]) : cell);

    function cellOf(cell) {
      if (!Array.isArray(cell)) {
        const isText = typeof cell === 'string';
        return element('td', isText ? { class: 'text' } : {}, isText ? cell : number(cell));
      }
      const [simulated, real] = cell;
      if (simulated === real) return element('td', {}, number(simulated));
      if (real === null) return element('td', {}, number(simulated));
      return element('td', { class: 'differs' }, `${number(simulated)} / ${number(real)}`);
    }

    /** Nothing goes last, in whichever direction. */
    function compare(a, b, direction) {
      if (a === null || b === null) return (a === null) - (b === null);
      return direction * (typeof a === 'string' ? a.localeCompare(b, 'en', { numeric: true }) : a - b);
    }

    function table({ title, columns, rows }) {
      let shown = rows;
      let folded = rows.length > FOLDED + 5;
      const body = element('tbody');
      const more = element('button', { type: 'button', class: 'more' });
      const fill = () => {
        body.replaceChildren(
          ...(folded ? shown.slice(0, FOLDED) : shown).map((row) => element('tr', {}, ...row.map(cellOf))),
        );
        more.textContent = `Show all ${number(rows.length)} rows`;
        more.hidden = !folded;
      };
      more.addEventListener('click', () => {
        folded = false;
        fill();
      });
      const headings = columns.map((name, i) => {
        const isText = rows.some((row) => typeof row[i] === 'string');
        const button = element('button', { type: 'button' }, name);
        const heading = element('th', { scope: 'col', ...(isText ? { class: 'text' } : {}) }, button);
        button.addEventListener('click', () => {
          const first = isText ? 'ascending' : 'descending';
          const other = isText ? 'descending' : 'ascending';
          const order = heading.getAttribute('aria-sort') === first ? other : first;
          for (const each of headings) each.removeAttribute('aria-sort');
          heading.setAttribute('aria-sort', order);
          const direction = order === 'ascending' ? 1 : -1;
          shown = [...rows].sort((a, b) => compare(plain(a[i]), plain(b[i]), direction));
          fill();
        });
        return heading;
      });
      fill();
      const whole = element('table', {}, element('thead', {}, element('tr', {}, ...headings)), body);
      const scroll = element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title }, whole);
      return element('div', {}, scroll, more);
    }

    /** Names and numbers, two columns without headings. */
    function counters({ title, rows }) {
      const body = rows.map(([name, value]) =>
        element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, number(value))),
      );
      return element('table', { class: 'counters' }, element('caption', {}, title), element('tbody', {}, ...body));
    }

    return { table, counters };
  })(),
);
