import { Component, type ReactNode } from "react";
import { Failed } from "./parts";

/** Says what went wrong in the page itself, where otherwise nothing would be left of it. */
export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    return this.state.error ? <Failed error={this.state.error} retry={() => location.reload()} /> : this.props.children;
  }
}
