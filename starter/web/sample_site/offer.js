// What many sites do: content that arrives after the page, here a second later.
setTimeout(() => {
  const offer = document.getElementById('offer');
  offer.textContent = 'A place is free this afternoon. Call 312-555-0100 and it is yours.';
  offer.hidden = false;
}, 1000);
