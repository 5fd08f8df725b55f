// Package system runs the plugins of system/ together: they have to agree on what requests used and cost, and must not
// cost much themselves. It is a module of its own for what the plugins need.
package system
