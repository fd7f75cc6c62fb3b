// Light or dark: as the system says, until somebody says otherwise.

const KEY = "packager-theme";

/** The themes in the order in which the button steps through them. */
export const THEMES = /** @type {const} */ (["system", "light", "dark"]);

/** @returns {string} the theme that was chosen last */
export function chosen() {
  const kept = localStorage.getItem(KEY);
  return kept !== null && /** @type {readonly string[]} */ (THEMES).includes(kept) ? kept : "system";
}

/** Use a theme, now and the next time. @param {string} theme */
export function choose(theme) {
  localStorage.setItem(KEY, theme);
  document.documentElement.dataset.theme = theme;
}

choose(chosen());
