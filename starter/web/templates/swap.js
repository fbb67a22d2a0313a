/*
 * Which phone number does this visitor see?
 *
 * Swaps a business's own numbers on its web site for the tracking numbers of the source that
 * brought the visitor. What the company swaps comes in by the last line. Without that (the account
 * is paused or closed, the script is off, the key is nobody's, something failed) the functions are
 * the same, and nothing on the page is read or written.
 *
 * Old browsers visit web sites too: nothing younger than ES2017, and no library.
 */
(function (company) {
  'use strict';

  const VERSION = '1.0.0';

  // The source of a tracker that is for everybody for whom there is no other one.
  const EVERYBODY = 'all_visitors';

  // Its whole content belongs to somebody else: to the program, to whoever types, to the site.
  const LEFT_ALONE =
    'head,script,style,noscript,template,textarea,input,select,[data-dni-noswap],' +
    '[contenteditable]:not([contenteditable="false"])';

  // A link's label is what a screen reader says, so it must name the number that is dialled.
  const LINK_ATTRIBUTES = ['href', 'aria-label', 'title'];

  // What may stand between two digits of one number: spaces, brackets, dots, hyphens, slashes.
  const GAP = '[\\s().\\-/\\u00ad\\u00b7\\u200b-\\u200d\\u2010-\\u2015\\u2060]{0,4}';

  // Long enough to take a burst of changes at once, short enough that nobody reads the old number.
  const QUIET_MS = 50;

  const MAX_SOURCES = 4;
  const MAX_SOURCE_LENGTH = 60;

  const CLICK_IDS = [
    ['gclid', 'google_ads'],
    ['gbraid', 'google_ads'],
    ['wbraid', 'google_ads'],
    ['msclkid', 'microsoft_ads'],
    ['fbclid', 'facebook'],
  ];
  const PAID = /^(cpc|ppc|cpm|paid.*|.*_ads?)$/;
  const ADS = new Map([['google', 'google_ads'], ['bing', 'microsoft_ads']]);
  const SEARCH_ENGINES = [
    [/(^|\.)google\.[a-z]{2,3}(\.[a-z]{2})?$/, 'google_organic'],
    [/(^|\.)bing\.com$/, 'bing_organic'],
    [/(^|\.)yahoo\.[a-z]{2,3}(\.[a-z]{2})?$/, 'yahoo_organic'],
    [/(^|\.)duckduckgo\.com$/, 'duckduckgo_organic'],
    [/(^|\.)(ecosia\.org|search\.brave\.com|baidu\.com|yandex\.[a-z]{2,3})$/, 'other_organic'],
  ];
  const NETWORKS = [
    [/(^|\.)(facebook\.com|fb\.com|fb\.me)$/, 'facebook'],
    [/(^|\.)instagram\.com$/, 'instagram'],
    [/(^|\.)(linkedin\.com|lnkd\.in)$/, 'linkedin'],
    [/(^|\.)(twitter\.com|x\.com|t\.co)$/, 'x'],
    [/(^|\.)(youtube\.com|youtu\.be)$/, 'youtube'],
    [/(^|\.)(tiktok|pinterest|reddit|nextdoor)\.com$/, 'other_social'],
  ];

  const visitor = company === null ? null : recognised();
  const pairs = company === null ? [] : pairsFor(visitor);
  const listeners = [];
  const waiting = new Set();
  const observer = new MutationObserver(notice);
  let timer = null;
  let swappedSoFar = 0;

  window.DNI = {
    version: VERSION,
    enabled: company !== null,
    swap: swap,
    getNumber: getNumber,
    getNumbers: getNumbers,
    getSource: getSource,
    onSwap: onSwap,
  };
  if (pairs.length) {
    start();
  }
  later(() => document.dispatchEvent(new CustomEvent('dni:ready')));

  // --- what a page may call: docs/dni.md ---------------------------------------------------------

  /** Swap what is there now: in the whole page, in a node, or in what a selector finds. */
  function swap(where) {
    if (!pairs.length) return 0;
    if (typeof where === 'string') return swapAll(Array.from(document.querySelectorAll(where)));
    return swapAll([where || document.body].filter(Boolean));
  }

  /** The number that this visitor sees in place of `target`, written as `target` is. */
  function getNumber(target) {
    return swappedText(String(target));
  }

  /** Calls back, always later, with an object: for each target the number in its place. */
  function getNumbers(targets, callback) {
    const numbers = {};
    for (const target of targets) {
      numbers[target] = getNumber(target);
    }
    later(() => callback(numbers));
  }

  /** The source that brought this visitor, or null where nothing is swapped. */
  function getSource() {
    return visitor === null ? null : visitor.sources[0];
  }

  /** Calls back after each round that changed something, also for what was changed before. */
  function onSwap(callback) {
    listeners.push(callback);
    if (swappedSoFar) {
      tell(callback, swappedSoFar);
    }
  }

  // --- when: at once, when the page is complete, and whenever something is added -----------------

  function start() {
    observer.observe(document.documentElement, {
      childList: true,
      characterData: true,
      attributes: true,
      attributeFilter: LINK_ATTRIBUTES,
      subtree: true,
    });
    if (document.body) {
      swap();
    }
    if (document.readyState === 'loading') {
      document.addEventListener('DOMContentLoaded', () => swap());
    }
  }

  function notice(records) {
    for (const record of records) {
      const nodes = record.type === 'childList' ? record.addedNodes : [record.target];
      nodes.forEach((node) => waiting.add(node));
    }
    // The first change sets the timer and no later one moves it: a page that never comes to rest,
    // as one with a clock does, would otherwise never be swapped.
    if (waiting.size && timer === null) {
      timer = setTimeout(catchUp, QUIET_MS);
    }
  }

  function catchUp() {
    notice(observer.takeRecords());
    const nodes = Array.from(waiting);
    waiting.clear();
    timer = null;
    swapAll(nodes.filter((node) => document.body && document.body.contains(node)));
  }

  function swapAll(nodes) {
    notice(observer.takeRecords());
    const count = nodes.reduce((sum, node) => sum + swapFrom(node), 0);
    // What is on record now we did ourselves, and looking at it again would be for nothing.
    observer.takeRecords();
    if (count) {
      swappedSoFar += count;
      listeners.forEach((listener) => tell(listener, count));
    }
    return count;
  }

  function tell(listener, count) {
    later(() => listener({ count: count, source: getSource() }));
  }

  // A caller's error ends its own turn and nobody else's.
  function later(what) {
    setTimeout(what, 0);
  }

  // --- where: text, and links that dial ----------------------------------------------------------

  function swapFrom(node) {
    const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    const isLeftAlone = element && element.closest && element.closest(LEFT_ALONE);
    return isLeftAlone ? 0 : swapNode(node);
  }

  function swapNode(node) {
    if (node.nodeType === Node.TEXT_NODE) return swapTextNode(node);
    if (node.nodeType === Node.ELEMENT_NODE && node.matches(LEFT_ALONE)) return 0;
    let count = node.nodeType === Node.ELEMENT_NODE ? swapLink(node) : 0;
    for (let child = node.firstChild; child; child = child.nextSibling) {
      count += swapNode(child);
    }
    return count;
  }

  function swapTextNode(node) {
    const text = swappedText(node.data);
    const isNew = text !== node.data;
    if (isNew) {
      node.data = text;
    }
    return Number(isNew);
  }

  function swapLink(element) {
    const dials = element.matches('a,area') && /^\s*tel:/i.test(element.getAttribute('href'));
    const names = dials ? LINK_ATTRIBUTES : [];
    return names.reduce((count, name) => count + swapAttribute(element, name), 0);
  }

  function swapAttribute(element, name) {
    const value = element.getAttribute(name) || '';
    const readable = name === 'href' ? attempt(() => decodeURIComponent(value), value) : value;
    const text = swappedText(readable);
    if (text === readable) return 0;
    element.setAttribute(name, text);
    return 1;
  }

  // --- how a number is written: as the one in whose place it stands ------------------------------

  function swappedText(text) {
    return pairs.reduce(
      (result, pair) =>
        result.replace(pair.pattern, (written, prefix, at, whole) => {
          const isWhole = standsAlone(whole, at, at + written.length);
          // "IL 60601 (312) 555-0100" holds no country code, though it looks as if.
          const apart = isWhole ? 0 : prefix.length;
          if (!isWhole && !standsAlone(whole, at + apart, at + written.length)) return written;
          const number = restyled(written.slice(apart), prefix.slice(apart), pair);
          return written.slice(0, apart) + number;
        }),
      text
    );
  }

  /** Finds `target` as people write it: with or without its country code or trunk prefix. */
  function patternOf(target) {
    const trunk = target.trunk ? `(?:${target.trunk}${GAP})?` : '';
    const national = target.national.split('').join(GAP);
    return new RegExp(`(\\(?(?:(?:\\+|00)?${target.country}${GAP})?${trunk})${national}`, 'g');
  }

  // Not the end of a longer number, of a word or of an address, nor a number of another country.
  function standsAlone(text, start, end) {
    const before = text.slice(Math.max(0, start - 10), start);
    const isInside = /\d/.test(text.charAt(start)) && /[\w@=]$/.test(before);
    const isForeign = /(?:\+|(?:^|\D)00)\d{1,3}[\s().-]{0,3}$/.test(before);
    return !isInside && !isForeign && !/[\d@]/.test(text.charAt(end));
  }

  function restyled(written, prefix, pair) {
    if (pair.number.country !== pair.target.country) return abroad(written, pair.number);
    return prefix + restyledNational(written.slice(prefix.length), pair.number.national);
  }

  /** Digit for digit into `style`, which ends with one; that one takes whatever is left over. */
  function restyledNational(style, digits) {
    let rest = digits;
    return style.replace(/\d/g, (_, at) => {
      const next = at === style.length - 1 ? rest : rest.charAt(0);
      rest = rest.slice(next.length);
      return next;
    });
  }

  /** A number of another country has groups of its own, and cannot be dialled without its code. */
  function abroad(written, number) {
    const isOpen = written.startsWith('(') && written.indexOf(')') < 0;
    const gap = /^[+\d]*$/.test(written) ? '' : ' ';
    return `${isOpen ? '(' : ''}+${number.country}${gap}${number.national}`;
  }

  // --- which number: the tracker of the visitor's source -----------------------------------------

  /** Each target that this visitor sees swapped, and the number in its place. */
  function pairsFor(someone) {
    const found = new Map();
    for (const source of someone.sources.concat(EVERYBODY)) {
      for (const each of swapsOf(source)) {
        const number = picked(each.numbers, someone.id);
        for (const target of each.targets.filter((one) => !found.has(digitsOf(one)))) {
          found.set(digitsOf(target), { target, number, pattern: patternOf(target) });
        }
      }
    }
    // A number that is shown is never swapped itself, so a second look at the page changes nothing
    // and no change of ours can lead to another one.
    const shown = Array.from(found.values(), (pair) => pair.number.national);
    return Array.from(found.values()).filter((pair) => !shown.includes(pair.target.national));
  }

  function swapsOf(source) {
    return company.swaps.filter((each) => plain(each.source) === source);
  }

  function digitsOf(number) {
    return number.country + number.national;
  }

  /**
   * One number out of a pool: the same one for the same visitor, as long as the pool has it. Each
   * number draws a lot with the visitor's id, so one that goes or comes moves few visitors.
   */
  function picked(numbers, id) {
    const lot = (number) => hashOf(digitsOf(number) + id);
    return numbers.reduce((best, number) => (lot(number) > lot(best) ? number : best));
  }

  // FNV-1a, 32 bits.
  function hashOf(text) {
    let hash = 0x811c9dc5;
    for (const character of text) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    }
    return hash >>> 0;
  }

  // --- who: where the visitor came from, the first time or by an advertisement since -------------

  function recognised() {
    const known = remembered();
    const someone = { id: known ? known.id : freshId(), sources: sourcesOf(known) };
    remember(someone);
    return someone;
  }

  /** The most specific name comes first. A visit by a tracked link begins anew, others do not. */
  function sourcesOf(known) {
    const landed = fromParameters(new URLSearchParams(location.search));
    if (known && !landed.some((source) => swapsOf(source).length)) return known.sources;
    return landed.length ? landed : fromReferrer();
  }

  function fromParameters(parameters) {
    const campaign = plain(parameters.get('utm_source'));
    const isPaid = PAID.test(plain(parameters.get('utm_medium')));
    const clicks = CLICK_IDS.filter((each) => parameters.has(each[0])).map((each) => each[1]);
    const names = [
      isPaid && campaign ? ADS.get(campaign) || `${campaign}_ads` : '',
      plain(parameters.get(company.parameter)),
      ...clicks,
      campaign,
    ];
    return Array.from(new Set(names)).filter(Boolean).slice(0, MAX_SOURCES);
  }

  function fromReferrer() {
    const host = attempt(() => new URL(document.referrer).hostname, '');
    if (host === '' || host === location.hostname) return ['direct'];
    const named = (table) => table.filter((each) => each[0].test(host)).map((each) => each[1]);
    if (named(SEARCH_ENGINES).length) return [...named(SEARCH_ENGINES), 'organic_search'];
    if (named(NETWORKS).length) return [...named(NETWORKS), 'social'];
    return [plain(host.replace(/^www\./, '')), 'referral'];
  }

  /** How a source is compared: "Google Ads" in a tracker is `google-ads` in an address. */
  function plain(text) {
    const words = String(text || '').trim().toLowerCase().replace(/[\s_-]+/g, '_');
    // A cut may leave half of a surrogate pair, which could not be kept in the cookie.
    return words.slice(0, MAX_SOURCE_LENGTH).replace(/[\ud800-\udfff]/g, '');
  }

  function freshId() {
    const words = Array.from(crypto.getRandomValues(new Uint32Array(2)));
    return words.map((word) => `0000000${word.toString(16)}`.slice(-8)).join('');
  }

  // --- the cookie: the visitor's id and sources, of this site alone ------------------------------

  function remembered() {
    // Anybody on the page may write cookies, and a sandboxed frame may not even read them.
    const start = `${company.cookie}=`;
    const cookies = attempt(() => document.cookie.split('; '), []);
    const value = (cookies.find((each) => each.startsWith(start)) || '').slice(start.length);
    const [id, ...sources] = attempt(() => value.split('|').map(decodeURIComponent), []);
    const areOurs = sources.length && sources.every((each) => each && plain(each) === each);
    return areOurs && /^[0-9a-f]{16}$/.test(id) ? { id, sources } : null;
  }

  function remember(someone) {
    const value = [someone.id, ...someone.sources.map(encodeURIComponent)].join('|');
    const isSecure = location.protocol === 'https:' ? '; Secure' : '';
    const lasts = `Max-Age=${company.cookieDays * 86400}`;
    const cookie = `${company.cookie}=${value}; Path=/; ${lasts}; SameSite=Lax${isSecure}`;
    // Without a cookie the visitor is a new one on the next page. This page is swapped all right.
    attempt(() => (document.cookie = cookie), null);
  }

  function attempt(what, otherwise) {
    try {
      return what();
    } catch (error) {
      return otherwise;
    }
  }
})(/* company */ null);
