import type { Page } from '../app';

export const watchPage: Page = main => { main.append('…'); };
