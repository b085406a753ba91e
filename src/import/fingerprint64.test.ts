import { expect, it } from "vitest";
import { compareByFingerprint, fingerprint64 } from "./fingerprint64.ts";

// From tf.fingerprint of TensorFlow 2.21: each length class of the hash.
const KNOWN: readonly [text: string, value: bigint][] = [
  ["", 11160318154034397263n],
  ["a", 12917804110809363939n],
  ["ab", 12289600257749001502n],
  ["abc", 2640714258260161385n],
  ["abcd", 1897425971756105985n],
  ["input_1", 2535031311912686349n],
  ["abcdefgh", 18368443631171807497n],
  ["output_0", 13112925925735376092n],
  ["abcdefghijklmnop", 6080716761534418621n],
  ["abcdefghijklmnopq", 11394395984755135400n],
  ["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 12901576723999808517n],
  ["yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", 8610735037765521150n],
  ["classes_softmax", 5830159402233061792n],
  ["bboxes_concat", 7453999080435257506n],
  ["he/3ca3ihg330ehe0acf", 6576909494373486566n],
  ["bjai30102e/dbe3gi1j10/1h_aif_dg", 17817104701670430708n],
  ["ijdc33c/c1eaj11dbb0_ihbjacdbg1jieb__/e00", 15152120569035799373n],
  ["20di1hj1ij_a1_a0eb_2//i3aba/i2j_f/f_/ij0daejhih_f1dd__h2fc_g2ih", 6720395693491585863n],
  ["dbg_fi_c/e1ji2/1j11b1ega31hb2j_hcjdhbbg1ba3dfjha1bd_ei3b/hgddfhi", 6243106426263558589n],
  ["ea30bihi1b3_abebdbc3bc3_f_c/00j/ig_1dea0cfb/20b1b/3_112ahgic1h1ea", 4977961370106663706n],
  [
    "_/id2d0d_da3eh0bcd0fa_dad3jjcbhddb_fchfh20i/0/1c0h1f13e0efd332feige_hj1igjai30gf/h_3e13g2a3c0b2hhcgi",
    402697830809553478n,
  ],
  [
    "hgiefbifb_f1ccdcijb/2_aa__103cg30e_dic1d2id//2jid_d3/bjfef/2dde_1jf23jfcdf0/dii0beb3ih/_02c/3deidddfg10ee0gffgi/ja210_j3j3agadh",
    5680633317937629238n,
  ],
  [
    "3f2gggb2djee2cba/hc3a___/ecbc_gcg1h3_db1cgf033c1g3ja2202f2bi//2/0hagi/e2gfgaf0faedf23fba02_1bbh0b03ahhd03gf_d/dbji2j3hia_/_cb1ca",
    333843896319760387n,
  ],
  [
    "dacafb3bg_g3_3/b0j0cjf1d0_0f0/f/12h23/if03befa2cd_hbb22_/acg0d_jd2cghbeeadhjgh1_g2fcbdadgicd20hd3/02dj20gda2jc_/g3c/1cgh/b_h12cig",
    17000645669110472947n,
  ],
  [
    "_fgg21/g1313bjafdaejb3bggi31b/2gjed2j12cge3j0/f1j23h/jja2//jhaaeeafbag2//b3fhai1_bd2jih31i_ba1bfhe1_eiafba3b221/fjfced1/22ii2je_eb13h2ia_d3eiid1c/b32gj/f00_bigb__0jbe1i1c3hgcddajc1i32ijbfh3feef20ae0bf",
    14800099262179334291n,
  ],
  [
    "fjgeebeg0d10faidedeje0/cga/e3hc/3d_3a/212j2e20gjfjf_igebb1fdafd0/ic22_eg_2/_//_jjifdh_hj1i2e3_f2bc11jbh00gc/gb3d10/aj//02/d3e_ha/caecg_1jgaa_2/g2_d0h3ejjgdfc1a/0a3f3ie0g1j1jdcc2_ca_31d_1h_g0cbahcfh30j/2hgj_e//_g2b1jg3gfd2d0g_fb_3h0bh0/0hfji/ib_dghj2ffh3gg/hf01fj2/bc23afi13h03/03fd1_e_d/ej3e2/3b/gcjj",
    8191589143542772726n,
  ],
];

it.each(KNOWN)("hashes %j as TensorFlow does", (text, value) => {
  expect(fingerprint64(text)).toBe(value);
});

it("orders keys by it", () => {
  const keys = ["output_0", "output_1", "output_2"].sort(compareByFingerprint);
  expect(keys).toEqual(["output_1", "output_0", "output_2"]);
});
