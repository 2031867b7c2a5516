/** Light, dark, or what the system says. The choice is kept in this browser. */

export const themes = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const key = 'muster-theme';

/** The choice that was kept. A browser that keeps nothing follows the system. */
export function readTheme(): Theme {
  try {
    return themes.find((theme) => theme === localStorage.getItem(key)) ?? 'auto';
  } catch {
    return 'auto';
  }
}

/** Draws the page in this theme from now on. */
export function applyTheme(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  try {
    localStorage.setItem(key, theme);
  } catch {
    // Nothing can be kept here (private windows): the theme lasts as long as the page.
  }
}
