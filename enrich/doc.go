// Package enrich says who and what an event is about: it gives every entity its canonical id from the inventory, the identity file and the
// bindings learned from earlier events, and copies what is known about them onto the event. It works in place, a batch at a time, in
// order of event time, and needs neither clock nor network: the same tables, bindings and events give the same result.
//
// A table file is refused as a whole if anything in it is wrong. An event that nothing is known about stays as it is and is counted.
//
// What was learned about an address at a time comes before the fixed address in the inventory: what was seen on the network beats what was
// written down. An address that stands for many machines (NAT, egress, guest NAT of a provider) is never resolved.
//
// An instance has one address plan: two plants with the same private network need two instances.
package enrich
