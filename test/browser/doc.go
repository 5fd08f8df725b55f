// Package browser looks at the pages of the proxy in a real browser, without a window. It holds tests only, in a module
// of its own, so that nobody who links the proxy gets what drives the browser.
package browser
