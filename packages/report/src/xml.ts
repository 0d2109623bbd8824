// SPDX-License-Identifier: MIT

/** Text as it stands between tags or in an attribute. What XML cannot hold at all is replaced. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[^\t\n\u0020-\ud7ff\ue000-\ufffd]/g, '\ufffd');
}
