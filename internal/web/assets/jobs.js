'use strict';
// A page whose address holds a user and the token may not fetch relative
// addresses, as the job pages do. The browser keeps what it has shown once.
{
  const at = new URL(document.baseURI);
  if (at.username || at.password) location.replace(location.origin + location.pathname + location.search + location.hash);
}
