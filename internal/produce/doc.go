// Package produce is what the steps of the produce machine do: Plan -> Send, once a range -> Report.
//
// Plan checks the input and divides the messages into ranges, so that a million messages are a thousand small items in
// the machine's history. Everything about message i follows from the plan and i alone: its id (from the execution and
// i) and its duration (from the seed and i). So a range that is sent again sends the same messages, a FIFO queue drops
// the duplicates, and two executions never share an id.
//
// Sender is of use without the machine too: it sends any messages into a queue.
package produce
