// SPDX-License-Identifier: MIT
// What all parts of the page need. Each script is one function; what it offers to the next ones it puts on `lockless`.
globalThis.lockless = (() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const format = new Intl.NumberFormat('en-US');

  /** Text only ever becomes text: no function here takes markup. */
  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  return {
    data,
    element,
    number: (value) => (value === null || value === undefined ? '–' : format.format(value)),
    /** A colour of the current theme. */
    color: (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),
    section: (id, title, note, ...children) =>
      element(
        'section',
        { id },
        element('h2', {}, title),
        ...(note ? [element('p', { class: 'note' }, note)] : []),
        ...children,
      ),
  };
})();
