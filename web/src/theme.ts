// Before the first paint: light or dark as the person chose last, else as the system has it; the language likewise.
const root = document.documentElement;
const theme = localStorage.getItem('theme');
if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
root.lang = localStorage.getItem('language') ?? (navigator.language.startsWith('ko') ? 'ko' : 'en');
