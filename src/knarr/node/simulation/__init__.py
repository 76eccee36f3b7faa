"""Simulated nodes, thousands in one process: what they share, and the stages that pods and nodes go through."""
