// Quantities as people read them.
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (bytes >= 1000 && i < units.length - 1) bytes /= 1000, i++;
  return (i && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)) + ' ' + units[i];
}

export function rate(bps: number): string {
  if (bps >= 1e9) return (bps / 1e9).toFixed(1) + ' Gbit/s';
  if (bps >= 1e6) return (bps / 1e6).toFixed(bps < 1e7 ? 1 : 0) + ' Mbit/s';
  return Math.round(bps / 1e3) + ' kbit/s';
}

// 75 to "1:15", 3675 to "1:01:15".
export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds)), two = (n: number) => String(n).padStart(2, '0');
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

export const when = (iso: string, language: string): string => new Date(iso).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' });
